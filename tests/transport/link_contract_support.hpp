// What the link contract needs: pairs of links of every kind, and a recorder of their events.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/transport/dial.hpp"
#include "spanwire/transport/link.hpp"
#include "spanwire/transport/listen.hpp"
#include "tests/support/test_loop.hpp"

namespace spanwire::transport {

// What the contract is held against.
struct LinkKind {
  const char* name;
  const char* address;  // to listen on; memory pairs have none
  LinkMode mode = LinkMode::bytes;
  // What a ROUTER's links share reads for all of them: only the other end can be held back by not
  // reading.
  bool left_listens = false;
};

// Records all that a link tells.
class Recorder final : public LinkEvents {
 public:
  MutableByteView read_target() noexcept override {
    ++targets_asked;
    return target;
  }
  void on_target_filled(std::size_t bytes) override {
    target_filled += bytes;
    target = target.subspan(bytes);
  }
  void on_bytes(ByteView bytes, Block& block) override {
    received.append(text_of(bytes));
    reads.push_back(bytes.size());
    if (keep_slices) {
      block.retain();
      slices.push_back(Slice::adopt(&block, bytes.data(), bytes.size()));
    }
    if (after_bytes) after_bytes();
  }
  void on_message(std::span<Slice> parts) override {
    messages.emplace_back();
    for (const Slice& part : parts) messages.back().emplace_back(part.text());
    if (after_bytes) after_bytes();
  }
  void on_writable() override {
    ++writable;
    if (after_writable) after_writable();
  }
  void on_closed(const Error& error) override {
    EXPECT_FALSE(closed.has_value()) << "on_closed came twice";
    closed = error.code();
    detail = error.detail();
    if (after_closed) after_closed();
  }

  std::string received;
  std::vector<std::size_t> reads;
  std::vector<std::vector<std::string>> messages;
  std::vector<Slice> slices;
  bool keep_slices = false;
  MutableByteView target;
  std::size_t target_filled = 0;
  int targets_asked = 0;
  int writable = 0;
  std::optional<Errc> closed;
  std::string detail;
  std::function<void()> after_bytes;
  std::function<void()> after_writable;
  std::function<void()> after_closed;
};

// A frame as it arrived.
struct SeenFrame {
  std::uint32_t stream = 0;
  std::string payload;    // byte mode: the whole body; multipart: the parts behind the control part
  std::size_t parts = 0;  // byte mode: 1; multipart: with the control part
};

// A data frame.
inline void send_frame(Link& link, std::uint32_t stream, std::string_view payload) {
  wire::OutFrame frame;
  frame.header.type = static_cast<std::uint8_t>(wire::FrameType::data);
  frame.header.stream_id = stream;
  frame.payload = Slice::copy_of(payload);
  link.send(frame);
}

// Whole frames that a recorder has seen.
inline std::vector<SeenFrame> frames_of(const Recorder& recorder) {
  std::vector<SeenFrame> frames;
  for (const std::vector<std::string>& parts : recorder.messages) {
    const Result<wire::FrameHeader> header = wire::decode_frame_header(bytes_of(parts.at(0)));
    EXPECT_TRUE(header);
    SeenFrame frame{header->stream_id, "", parts.size()};
    for (std::size_t i = 1; i < parts.size(); ++i) frame.payload.append(parts[i]);
    frames.push_back(std::move(frame));
  }
  std::string_view rest = recorder.received;
  while (rest.size() >= wire::kFrameHeaderBytes) {
    const Result<wire::FrameHeader> header = wire::decode_frame_header(bytes_of(rest));
    EXPECT_TRUE(header);
    const std::size_t end = wire::kFrameHeaderBytes + header->body_bytes;
    if (rest.size() < end) break;
    frames.push_back({header->stream_id,
                      std::string(rest.substr(wire::kFrameHeaderBytes, header->body_bytes)), 1});
    rest.remove_prefix(end);
  }
  return frames;
}
inline std::size_t count_frames(const Recorder& recorder) {
  std::size_t count = recorder.messages.size();
  std::string_view rest = recorder.received;
  while (rest.size() >= wire::kFrameHeaderBytes) {
    const std::size_t end =
        wire::kFrameHeaderBytes + wire::decode_frame_header(bytes_of(rest))->body_bytes;
    if (rest.size() < end) break;
    rest.remove_prefix(end);
    ++count;
  }
  return count;
}

// Takes what a listener accepts.
class Acceptor final : public AcceptEvents {
 public:
  explicit Acceptor(Loop& loop) : loop_(&loop) {}
  void on_accept(Incoming incoming) override {
    Result<std::unique_ptr<Link>> link = incoming.open(*loop_);
    ASSERT_TRUE(link) << link.error().message();
    links.push_back(std::move(*link));
  }
  void on_shortage(const Error& error) override { shortages.push_back(error.message()); }

  std::vector<std::unique_ptr<Link>> links;
  std::vector<std::string> shortages;

 private:
  Loop* loop_;
};

inline Address address_of(std::string_view text) {
  Result<Address> address = parse_address(text);
  EXPECT_TRUE(address) << address.error().message();
  return address ? *address : Address();
}

inline std::string temporary_path(std::string_view name) {
  static int count = 0;
  return "/tmp/spanwire-" + std::to_string(::getpid()) + "-" + std::to_string(++count) + "-" +
         std::string(name);
}

}  // namespace spanwire::transport
