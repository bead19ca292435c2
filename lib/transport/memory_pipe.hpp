// Both directions of a connection in memory, and one end of it as a ByteStream.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "lib/transport/byte_stream.hpp"
#include "spanwire/base/executor.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/transport/memory_link.hpp"

namespace spanwire::transport {

class MemoryStream;

// Safe from any thread.
class MemoryPipe : public std::enable_shared_from_this<MemoryPipe> {
 public:
  explicit MemoryPipe(const MemoryOptions& options);
  const MemoryOptions& options() const noexcept { return options_; }

  // Called by the stream of end 0 or 1, on its executor.
  void attach(std::size_t end, Executor& executor, MemoryStream& stream);
  IoResult read(std::size_t end, std::span<const iovec> into, MonotonicTime now);
  IoResult write(std::size_t end, std::span<const iovec> from, MonotonicTime now);
  // The end's stream is told once; the time is when to look again if only delayed bytes are there.
  MonotonicTime wait_readable(std::size_t end, MonotonicTime now);
  void wait_writable(std::size_t end);
  // No bytes come from this end any more and it takes none.
  void close(std::size_t end);

 private:
  // Tells an end's stream on its executor; posted by whichever side made the difference.
  struct Waker : Job {
    bool wanted = false;
    bool posted = false;
    bool readable = false;
    MemoryStream* stream = nullptr;    // only on the end's executor
    std::shared_ptr<MemoryPipe> keep;  // while posted
  };
  struct Delayed {
    std::size_t bytes = 0;
    MonotonicTime visible;
  };
  // What end i has written.
  struct Direction {
    std::vector<std::byte> bytes;
    std::size_t taken = 0;  // of `bytes`
    std::deque<Delayed> delayed;
    std::size_t hidden = 0;  // at the end of `bytes`: not visible yet
    std::uint64_t written = 0;
    bool ended = false;
    Random random;

    explicit Direction(std::uint64_t seed) : random(seed) {}
    std::size_t size() const noexcept { return bytes.size() - taken; }
  };
  struct End {
    Executor* executor = nullptr;
    bool closed = false;
    Waker reader;
    Waker writer;
  };

  static void run_waker(Job* job) noexcept;
  void wake(End& end, Waker& waker);
  void wake_all();
  void reveal(Direction& direction, MonotonicTime now);
  std::size_t shorten(Direction& direction, std::size_t bytes, std::size_t bytes_max);
  bool is_cut(const Direction& direction) const noexcept;
  void append(Direction& direction, std::span<const iovec> from, std::size_t bytes);

  const MemoryOptions options_;
  std::mutex mutex_;
  bool cut_ = false;
  std::array<Direction, 2> directions_;
  std::array<End, 2> ends_;
};

// Only on its executor.
class MemoryStream final : public ByteStream, private Timer {
 public:
  MemoryStream(std::shared_ptr<MemoryPipe> pipe, std::size_t end, Executor& executor);
  ~MemoryStream() override;

  void start(StreamEvents& events) override { events_ = &events; }
  IoResult read(std::span<const iovec> into) override;
  IoResult write(std::span<const iovec> from) override;
  void wait_readable() override;
  void wait_writable() override;
  void end_writing() override {}
  void close() override;

  void tell(bool readable);

 private:
  static void look_again(Timer* timer) noexcept;

  std::shared_ptr<MemoryPipe> pipe_;
  std::size_t end_;
  Executor& executor_;
  StreamEvents* events_ = nullptr;
};

}  // namespace spanwire::transport
