#include "lib/transport/memory_pipe.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace spanwire::transport {
namespace {

std::size_t total_bytes(std::span<const iovec> vectors) noexcept {
  std::size_t bytes = 0;
  for (const iovec& vector : vectors) bytes += vector.iov_len;
  return bytes;
}

void copy_out(const std::byte* from, std::size_t bytes, std::span<const iovec> into) noexcept {
  for (const iovec& vector : into) {
    const std::size_t part = std::min(bytes, vector.iov_len);
    if (part == 0) continue;
    std::memcpy(vector.iov_base, from, part);
    from += part;
    bytes -= part;
  }
}

}  // namespace

MemoryPipe::MemoryPipe(const MemoryOptions& options)
    : options_(options),
      directions_{Direction(options.faults.seed), Direction(~options.faults.seed)} {
  for (End& end : ends_) {
    end.reader.run = end.writer.run = &MemoryPipe::run_waker;
    end.reader.readable = true;
  }
}

void MemoryPipe::attach(std::size_t end, Executor& executor, MemoryStream& stream) {
  const std::lock_guard lock(mutex_);
  ends_[end].executor = &executor;
  ends_[end].reader.stream = ends_[end].writer.stream = &stream;
}

// Under the mutex: an end that is closed meanwhile is never posted to.
void MemoryPipe::wake(End& end, Waker& waker) {
  if (!waker.wanted || waker.posted || end.closed || end.executor == nullptr) return;
  waker.wanted = false;
  waker.posted = true;
  waker.keep = shared_from_this();
  end.executor->post(waker);
}

void MemoryPipe::wake_all() {
  for (End& end : ends_) {
    wake(end, end.reader);
    wake(end, end.writer);
  }
}

void MemoryPipe::run_waker(Job* job) noexcept {
  auto& waker = *static_cast<Waker*>(job);
  const std::shared_ptr<MemoryPipe> pipe = waker.keep;
  {
    const std::lock_guard lock(pipe->mutex_);
    waker.posted = false;
    waker.keep.reset();
  }
  if (waker.stream != nullptr) waker.stream->tell(waker.readable);
}

void MemoryPipe::reveal(Direction& direction, MonotonicTime now) {
  while (!direction.delayed.empty() && direction.delayed.front().visible <= now) {
    direction.hidden -= direction.delayed.front().bytes;
    direction.delayed.pop_front();
  }
}

std::size_t MemoryPipe::shorten(Direction& direction, std::size_t bytes, std::size_t bytes_max) {
  if (bytes_max == 0 || bytes == 0) return bytes;
  return std::min<std::size_t>(bytes, 1 + direction.random.below(bytes_max));
}

IoResult MemoryPipe::read(std::size_t end, std::span<const iovec> into, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  Direction& direction = directions_[1 - end];
  reveal(direction, now);
  const std::size_t visible = direction.size() - direction.hidden;
  if (visible == 0) {
    if (direction.size() != 0) return {IoStatus::would_block, 0, {}};
    if (cut_) return {IoStatus::failed, 0, Errc::fault_injected};
    return {direction.ended ? IoStatus::ended : IoStatus::would_block, 0, {}};
  }
  const std::size_t bytes =
      shorten(direction, std::min(visible, total_bytes(into)), options_.faults.read_bytes_max);
  copy_out(direction.bytes.data() + direction.taken, bytes, into);
  direction.taken += bytes;
  if (direction.taken * 2 >= direction.bytes.size()) {
    direction.bytes.erase(direction.bytes.begin(),
                          direction.bytes.begin() + static_cast<std::ptrdiff_t>(direction.taken));
    direction.taken = 0;
  }
  wake(ends_[1 - end], ends_[1 - end].writer);
  return {IoStatus::ok, bytes, {}};
}

void MemoryPipe::append(Direction& direction, std::span<const iovec> from, std::size_t bytes) {
  direction.written += bytes;
  for (const iovec& vector : from) {
    const std::size_t part = std::min(bytes, vector.iov_len);
    const auto* data = static_cast<const std::byte*>(vector.iov_base);
    direction.bytes.insert(direction.bytes.end(), data, data + part);
    bytes -= part;
  }
}

IoResult MemoryPipe::write(std::size_t end, std::span<const iovec> from, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  Direction& direction = directions_[end];
  if (cut_) return {IoStatus::failed, 0, Errc::fault_injected};
  if (ends_[1 - end].closed) return {IoStatus::failed, 0, Errc::connection_reset};
  const FaultPlan& faults = options_.faults;
  const std::size_t room =
      options_.capacity_bytes - std::min(options_.capacity_bytes, direction.size());
  std::size_t bytes = shorten(direction, std::min(room, total_bytes(from)), faults.write_bytes_max);
  if (bytes == 0) return {IoStatus::would_block, 0, {}};
  if (faults.cut_after_bytes != 0 && bytes >= faults.cut_after_bytes - direction.written) {
    bytes = static_cast<std::size_t>(faults.cut_after_bytes - direction.written);
    cut_ = true;
  }
  append(direction, from, bytes);
  if (faults.delay_max.count() > 0) {
    const auto late = direction.random.below(static_cast<std::uint64_t>(faults.delay_max.count()));
    MonotonicTime visible = now + std::chrono::nanoseconds(late);
    if (!direction.delayed.empty()) visible = std::max(visible, direction.delayed.back().visible);
    direction.delayed.push_back({bytes, visible});
    direction.hidden += bytes;
  }
  wake(ends_[1 - end], ends_[1 - end].reader);
  if (cut_) wake_all();
  return {IoStatus::ok, bytes, {}};
}

MonotonicTime MemoryPipe::wait_readable(std::size_t end, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  Direction& direction = directions_[1 - end];
  ends_[end].reader.wanted = true;
  reveal(direction, now);
  const bool visible = direction.size() > direction.hidden;
  if (visible || (direction.size() == 0 && (direction.ended || cut_))) {
    wake(ends_[end], ends_[end].reader);
    return MonotonicTime::max();
  }
  return direction.delayed.empty() ? MonotonicTime::max() : direction.delayed.front().visible;
}

void MemoryPipe::wait_writable(std::size_t end) {
  const std::lock_guard lock(mutex_);
  ends_[end].writer.wanted = true;
  const bool room = directions_[end].size() < options_.capacity_bytes;
  if (room || cut_ || ends_[1 - end].closed) wake(ends_[end], ends_[end].writer);
}

void MemoryPipe::close(std::size_t end) {
  const std::lock_guard lock(mutex_);
  ends_[end].reader.stream = ends_[end].writer.stream = nullptr;
  ends_[end].closed = true;
  directions_[end].ended = true;
  wake(ends_[1 - end], ends_[1 - end].reader);
  wake(ends_[1 - end], ends_[1 - end].writer);
}

MemoryStream::MemoryStream(std::shared_ptr<MemoryPipe> pipe, std::size_t end, Executor& executor)
    : Timer(&MemoryStream::look_again), pipe_(std::move(pipe)), end_(end), executor_(executor) {
  pipe_->attach(end_, executor_, *this);
}

MemoryStream::~MemoryStream() { MemoryStream::close(); }

IoResult MemoryStream::read(std::span<const iovec> into) {
  return pipe_->read(end_, into, executor_.clock().monotonic());
}

IoResult MemoryStream::write(std::span<const iovec> from) {
  return pipe_->write(end_, from, executor_.clock().monotonic());
}

// Delayed bytes wake nobody when their time comes: this end looks again by itself.
void MemoryStream::wait_readable() {
  const MonotonicTime visible = pipe_->wait_readable(end_, executor_.clock().monotonic());
  if (visible == MonotonicTime::max()) return;
  executor_.timers().remove(*this);
  executor_.timers().add(*this, visible);
}

void MemoryStream::wait_writable() { pipe_->wait_writable(end_); }

void MemoryStream::close() {
  if (pipe_ == nullptr) return;
  executor_.timers().remove(*this);
  events_ = nullptr;
  pipe_->close(end_);
  pipe_.reset();
}

void MemoryStream::tell(bool readable) {
  const Ref<MemoryStream> self(this);
  if (events_ == nullptr) return;
  if (readable) {
    events_->on_readable();
  } else {
    events_->on_writable();
  }
}

void MemoryStream::look_again(Timer* timer) noexcept {
  static_cast<MemoryStream*>(timer)->tell(true);
}

}  // namespace spanwire::transport
