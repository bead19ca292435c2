// A link of the simulator: what is sent waits, is submitted to a network, and arrives, each when
// the simulator says so and in whatever portions.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "spanwire/session/session.hpp"
#include "spanwire/wire/multipart.hpp"

namespace spanwire::session {

class SimulatedLink final : public wire::FrameSink {
 public:
  // Above `high` bytes that wait, became_writable() will tell when they are few again.
  SimulatedLink(bool multipart, std::size_t high) : multipart_(multipart), high_(high) {}

  void send(wire::OutFrame& frame) override {
    if (closed_) return;
    if (multipart_) {
      wire::OutParts parts;
      wire::lay_out_parts(frame, parts);
      std::vector<Slice> message;
      std::size_t bytes = 0;
      for (const ByteView part : parts.view()) {
        message.push_back(Slice::copy_of(part));
        bytes += part.size();
      }
      queued_ += bytes;
      waiting_messages_.push_back({std::move(message), bytes});
      return count(bytes);
    }
    const std::size_t head = wire::byte_head_bytes(frame);
    const std::size_t at = waiting_.size();
    waiting_.resize(at + head + frame.payload.size());
    wire::write_byte_head(frame, head, reinterpret_cast<std::byte*>(waiting_.data() + at));
    const std::string_view payload = frame.payload.text();
    std::copy(payload.begin(), payload.end(), waiting_.begin() + static_cast<long>(at + head));
    queued_ = waiting_.size();
    // As links do: large payloads are kept, small ones stay the caller's.
    if (frame.payload.size() >= wire::kCopyPayloadBelow) frame.payload = Slice();
    count(head + payload.size());
  }
  void send_raw(ByteView bytes) override {
    waiting_.append(text_of(bytes));
    queued_ = waiting_.size();
    count(bytes.size());
  }
  std::size_t queued_bytes() const noexcept override { return queued_; }
  std::uint64_t bytes_taken() const noexcept override { return taken_; }
  std::uint64_t bytes_submitted() const noexcept override { return submitted_; }

  // Gives up to `bytes` to the network.  False: there was nothing.
  bool submit(std::size_t bytes) {
    if (multipart_) {
      if (waiting_messages_.empty()) return false;
      queued_ -= waiting_messages_.front().bytes;
      submitted_ += waiting_messages_.front().bytes;
      on_the_way_messages_.push_back(std::move(waiting_messages_.front().parts));
      waiting_messages_.pop_front();
      return true;
    }
    const std::size_t moved = std::min(bytes, waiting_.size());
    if (moved == 0) return false;
    on_the_way_.append(waiting_, 0, moved);
    waiting_.erase(0, moved);
    queued_ = waiting_.size();
    submitted_ += moved;
    return true;
  }

  // Lets up to `bytes` arrive at `peer`.  False: there was nothing.
  bool deliver(std::size_t bytes, Session& peer, const Now& now) {
    if (multipart_) {
      if (on_the_way_messages_.empty()) return false;
      std::vector<Slice> message = std::move(on_the_way_messages_.front());
      on_the_way_messages_.pop_front();
      peer.on_message(message, now);
      return true;
    }
    const std::size_t moved = std::min(bytes, on_the_way_.size());
    if (moved == 0) return false;
    const MutableByteView target = peer.read_target();
    const std::size_t in_target = std::min(moved, target.size());
    if (in_target != 0) {
      std::memcpy(target.data(), on_the_way_.data(), in_target);
      on_the_way_.erase(0, in_target);
      peer.on_target_filled(in_target, now);
      return true;
    }
    Block* block = Block::make(moved);
    std::memcpy(block->data(), on_the_way_.data(), moved);
    on_the_way_.erase(0, moved);
    peer.on_bytes({block->data(), moved}, block, now);
    block->release();
    return true;
  }

  bool idle() const noexcept {
    return waiting_.empty() && on_the_way_.empty() && waiting_messages_.empty() &&
           on_the_way_messages_.empty();
  }
  // True once after the queue has been long and is short again.
  bool became_writable() {
    if (!above_ || queued_ > high_ / 4) return false;
    above_ = false;
    return true;
  }
  // Whatever has not arrived is lost.
  void cut() {
    closed_ = true;
    waiting_.clear();
    on_the_way_.clear();
    waiting_messages_.clear();
    on_the_way_messages_.clear();
    queued_ = 0;
  }
  void close() noexcept { closed_ = true; }

 private:
  struct Message {
    std::vector<Slice> parts;
    std::size_t bytes;
  };

  void count(std::size_t bytes) {
    taken_ += bytes;
    if (queued_ > high_) above_ = true;
  }

  bool multipart_;
  std::size_t high_;
  bool closed_ = false;
  bool above_ = false;
  std::size_t queued_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t submitted_ = 0;
  std::string waiting_;
  std::string on_the_way_;
  std::deque<Message> waiting_messages_;
  std::deque<std::vector<Slice>> on_the_way_messages_;
};

}  // namespace spanwire::session
