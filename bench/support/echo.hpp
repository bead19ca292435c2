// What the echo programs share: a server process and a client process on given cores, one line of
// JSON.
//   {"calls":..,"rate":..,"p50_us":..,"p99_us":..,"cpu_us":..,"server_cpu_us":..,"syscalls":..,
//    "allocations":..}
// CPU, system calls and allocations are per call; cpu_us, syscalls and allocations of both
// processes together.  Flags: --inflight N, --payload BYTES, --seconds S, --cpus CLIENT,SERVER,
// --json, --oneway, --sample RATIO, --zmq, --batch, --awake, --otlp SINK.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace spanwire::bench {

struct EchoOptions {
  unsigned inflight = 1;
  std::size_t payload = 256;
  double seconds = 0.5;
  int client_cpu = -1;
  int server_cpu = -1;
  bool json = false;    // floor: write and parse the headers
  bool oneway = false;  // messages one way, no reply
  bool zmq = false;     // ours: over ZeroMQ
  bool batch = false;   // floor: libzmq's thread is batch work; its process has one core
  bool awake = false;   // both: a thread on each core keeps it from sleeping between two calls
  double sample = 0;    // ours: share of calls whose spans are recorded; negative: no provider
  std::string otlp;     // ours: the kind of backend that spans are sent to; empty: they are counted
};

// Ends the program with a usage line for flags it does not know.
EchoOptions echo_options(int argc, char** argv);

// Counters that both processes see.
struct EchoShared {
  // Of the server, after each message; looks at the other counters now and then.
  void count_served(std::uint64_t messages) noexcept {
    if ((messages & 63u) == 0) look(messages);
  }
  void look(std::uint64_t messages) noexcept;

  std::uint64_t server_syscalls;
  std::uint64_t server_allocations;
  std::uint64_t server_messages;
};

// Calls that begin and end, seen from the client.
class Meter {
 public:
  explicit Meter(const EchoOptions& options);
  // Begins to measure: after warming up.
  bool stop() noexcept;
  // One call has ended that began at `begin_ns` (looked at with one call in flight only).
  void hit(std::uint64_t begin_ns) noexcept {
    ++calls_;
    if (latencies_on_) latencies_.push_back(static_cast<float>(now_ns() - begin_ns));
  }
  std::uint64_t begin() noexcept { return latencies_on_ ? now_ns() : 0; }
  static std::uint64_t now_ns() noexcept;

 private:
  friend int echo_main(
      const EchoOptions&,
      const std::function<void(const EchoOptions&, EchoShared&, std::function<void(int)>)>&,
      const std::function<void(const EchoOptions&, int, Meter&)>&);
  bool latencies_on_;
  bool measuring_ = false;
  std::uint32_t checks_ = 0;
  std::uint64_t calls_ = 0;
  std::uint64_t warm_until_ns_ = 0;
  std::uint64_t begin_ns_ = 0;
  std::uint64_t end_ns_ = 0;
  std::uint64_t measure_ns_;
  std::uint64_t first_calls_ = 0;
  double first_cpu_ = 0;
  double first_server_cpu_ = 0;
  double last_cpu_ = 0;
  double last_server_cpu_ = 0;
  std::uint64_t first_counts_[4] = {};
  std::uint64_t last_counts_[4] = {};
  pid_t server_ = -1;
  EchoShared* shared_ = nullptr;
  std::vector<float> latencies_;
};

// System calls of this process that touch descriptors, counted by our own wrappers.
std::uint64_t syscalls() noexcept;

// `serve(options, shared, ready)` calls ready(port) and runs until it is killed; `call(options,
// port, meter)` runs until meter.stop().
int echo_main(
    const EchoOptions& options,
    const std::function<void(const EchoOptions&, EchoShared&, std::function<void(int)>)>& serve,
    const std::function<void(const EchoOptions&, int, Meter&)>& call);

}  // namespace spanwire::bench
