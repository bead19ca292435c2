#include "lib/transport/zmq/message.hpp"

#include <utility>

#include "lib/transport/zmq/hand_over.hpp"

namespace spanwire::transport {
namespace {

void drop_part(void* part) noexcept { delete static_cast<ZmqPart*>(part); }

}  // namespace

Slice slice_of(ZmqPart& part) {
  const std::size_t size = part.size();
  if (size < kZmqCopyBelow) return Slice::adopt(nullptr, part.data(), size);
  auto* const owner = new ZmqPart(std::move(part));
  std::byte* const data = owner->data();
  return Slice::adopt(Block::wrap(data, size, &drop_part, owner), data, size);
}

std::string peer_of(std::span<ZmqPart> parts) {
  // A part that was taken over has forgotten it.
  for (ZmqPart& part : parts) {
    if (const char* const address = zmq_msg_gets(part.handle(), "Peer-Address")) return address;
  }
  return "unknown";
}

struct ZmqFlight::Cargo {
  Slice payload;
  std::shared_ptr<ZmqFlight> flight;
};

ZmqFlight::ZmqFlight(Loop& loop, std::size_t bytes_max, Landed landed, void* owner) noexcept
    : bytes_max_(bytes_max), landed_(landed), loop_(&loop), owner_(owner), wake_(&woken) {}

ZmqPart ZmqFlight::take(Slice&& payload) {
  bytes_.fetch_add(payload.size());
  auto* const cargo = new Cargo{std::move(payload), shared_from_this()};
  auto* const data = const_cast<std::byte*>(cargo->payload.data());
  const std::size_t size = cargo->payload.size();
  zmq_handed_over(cargo);
  ZmqPart part;
  part.lend(data, size, &unload, cargo);
  return part;
}

// On libzmq's thread, or on ours when the message was not sent.
void ZmqFlight::unload(void* /*data*/, void* cargo) noexcept {
  zmq_taken_over(cargo);
  zmq_taken_over(kZmqWire);
  const std::unique_ptr<Cargo> owned(static_cast<Cargo*>(cargo));
  const std::size_t bytes = owned->payload.size();
  owned->payload = Slice();
  owned->flight->count_down(bytes);
}

void ZmqFlight::count_down(std::size_t bytes) noexcept {
  const std::size_t left = bytes_.fetch_sub(bytes) - bytes;
  if (!waited_for_.load() || left > bytes_max_ / 2) return;
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr || wake_.flight != nullptr || !waited_for_.exchange(false)) return;
  wake_.flight = shared_from_this();
  loop_->post(wake_);
}

void ZmqFlight::wait() noexcept {
  waited_for_.store(true);
  // What landed just before told nobody.
  count_down(0);
}

void ZmqFlight::woken(Job* job) noexcept {
  auto* const wake = static_cast<Wake*>(job);
  std::shared_ptr<ZmqFlight> flight;
  {
    const std::lock_guard lock(wake->flight->mutex_);
    flight = std::move(wake->flight);
  }
  if (flight->owner_ != nullptr) flight->landed_(flight->owner_);
}

void ZmqFlight::abandon() noexcept {
  owner_ = nullptr;
  const std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

}  // namespace spanwire::transport
