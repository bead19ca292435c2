#include "lib/transport/multipart_link.hpp"

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "spanwire/base/assert.hpp"
#include "spanwire/wire/multipart.hpp"

namespace spanwire::transport {
namespace {

using Size = std::uint32_t;

Size load_size(const std::byte* from) noexcept {
  Size size = 0;
  std::memcpy(&size, from, sizeof(size));
  return size;
}

class MultipartLink final : public Link, private LinkEvents {
 public:
  explicit MultipartLink(std::unique_ptr<Link> bytes)
      : bytes_(std::move(bytes)), info_(bytes_->info()) {
    info_.mode = LinkMode::multipart;
  }
  ~MultipartLink() override {
    if (gone_ != nullptr) *gone_ = true;
  }

  void start(LinkEvents& events) override {
    events_ = &events;
    bytes_->start(*this);
  }
  void pause_reading(bool paused) override { bytes_->pause_reading(paused); }
  void close(const Error& cause) override {
    closing_ = true;
    bytes_->close(cause);
  }
  const LinkInfo& info() const noexcept override { return info_; }

  void send(wire::OutFrame& frame) override {
    wire::OutParts parts;
    wire::lay_out_parts(frame, parts);
    send_parts(parts.view());
  }
  void send_raw(ByteView bytes) override { send_parts({&bytes, 1}); }
  std::size_t queued_bytes() const noexcept override { return bytes_->queued_bytes(); }
  std::uint64_t bytes_taken() const noexcept override { return bytes_->bytes_taken(); }
  std::uint64_t bytes_submitted() const noexcept override { return bytes_->bytes_submitted(); }

 private:
  void send_parts(std::span<const ByteView> parts) {
    std::array<Size, 1 + wire::kPartsMax> head{};
    head[0] = static_cast<Size>(parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) head[i + 1] = static_cast<Size>(parts[i].size());
    bytes_->send_raw(std::as_bytes(std::span(head).first(parts.size() + 1)));
    for (const ByteView part : parts) bytes_->send_raw(part);
  }

  void on_bytes(ByteView bytes, Block&) override {
    received_.append(bytes);
    std::size_t used = 0;
    std::vector<Slice> parts;
    while (const std::size_t message = next_message(received_.view().subspan(used), parts)) {
      used += message;
      bool gone = false;
      gone_ = &gone;
      events_->on_message(parts);
      if (gone) return;
      gone_ = nullptr;
      if (closing_) return;
    }
    drop_front(used);
  }

  // Bytes of the whole message at the front, whose parts are made; 0 if it is not all there.
  static std::size_t next_message(ByteView bytes, std::vector<Slice>& parts) {
    if (bytes.size() < sizeof(Size)) return 0;
    const std::size_t count = load_size(bytes.data());
    SPANWIRE_ASSERT(count <= wire::kPartsMax);
    std::size_t position = sizeof(Size) * (1 + count);
    if (bytes.size() < position) return 0;
    std::size_t end = position;
    for (std::size_t i = 0; i < count; ++i) end += load_size(bytes.data() + sizeof(Size) * (1 + i));
    if (bytes.size() < end) return 0;
    parts.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t size = load_size(bytes.data() + sizeof(Size) * (1 + i));
      parts.push_back(Slice::copy_of(bytes.subspan(position, size)));
      position += size;
    }
    return end;
  }

  void drop_front(std::size_t used) {
    if (used == 0) return;
    Buffer rest;
    rest.append(received_.view().subspan(used));
    received_ = std::move(rest);
  }

  void on_message(std::span<Slice>) override {}
  void on_writable() override { events_->on_writable(); }
  void on_closed(const Error& cause) override { events_->on_closed(cause); }

  std::unique_ptr<Link> bytes_;
  LinkInfo info_;
  LinkEvents* events_ = nullptr;
  Buffer received_;
  bool closing_ = false;
  bool* gone_ = nullptr;  // set while a message is handed over: tells that we were destroyed
};

}  // namespace

std::unique_ptr<Link> make_multipart_link(std::unique_ptr<Link> bytes) {
  return std::make_unique<MultipartLink>(std::move(bytes));
}

}  // namespace spanwire::transport
