#include "bench/support/echo.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

#include "bench/measure.hpp"

namespace spanwire::bench {
namespace {

constexpr double kWarmSeconds = 0.1;
constexpr timespec kAwakeEvery = {0, 1'000'000};

double cpu_seconds(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double cpu_of(pid_t process) noexcept {
  clockid_t clock{};
  if (clock_getcpuclockid(process, &clock) != 0) return 0;
  return cpu_seconds(clock);
}

void run_on_cpu(int cpu) noexcept {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  sched_setaffinity(0, sizeof set, &set);
}

// With one call in flight a core sleeps between two calls, and a tenth of a call's time is its
// waking up: less where anything else wakes it now and then, such as a backend that answers.  A
// thousand times a second is more than that.
void keep_awake() {
  std::thread([] {
    for (;;) nanosleep(&kAwakeEvery, nullptr);
  }).detach();
}

// 0 of none.
double percentile_us(std::vector<float>& latencies_ns, std::size_t percent) {
  if (latencies_ns.empty()) return 0;
  const auto at =
      latencies_ns.begin() + static_cast<std::ptrdiff_t>((latencies_ns.size() - 1) * percent / 100);
  std::nth_element(latencies_ns.begin(), at, latencies_ns.end());
  return static_cast<double>(*at) * 1e-3;
}

[[noreturn]] void usage(const char* program, const char* flag) {
  std::fprintf(stderr,
               "%s: unknown flag %s\nusage: %s [--inflight N] [--payload BYTES] [--seconds S] "
               "[--cpus C,S] [--json] "
               "[--oneway] [--zmq] [--batch] [--awake] [--sample RATIO] "
               "[--otlp answering|silent|deaf]\n",
               program, flag, program);
  std::exit(2);
}

}  // namespace

void EchoShared::look(std::uint64_t messages) noexcept {
  server_syscalls = syscalls();
  server_allocations = allocations();
  server_messages = messages;
}

EchoOptions echo_options(int argc, char** argv) {
  EchoOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const auto value = [&]() -> const char* {
      if (i + 1 == argc) usage(argv[0], argv[i]);
      return argv[++i];
    };
    if (flag == "--inflight") {
      options.inflight = static_cast<unsigned>(std::atoi(value()));
    } else if (flag == "--payload") {
      options.payload = static_cast<std::size_t>(std::atoll(value()));
    } else if (flag == "--seconds") {
      options.seconds = std::atof(value());
    } else if (flag == "--cpus") {
      std::sscanf(value(), "%d,%d", &options.client_cpu, &options.server_cpu);
    } else if (flag == "--sample") {
      options.sample = std::atof(value());
    } else if (flag == "--json") {
      options.json = true;
    } else if (flag == "--zmq") {
      options.zmq = true;
    } else if (flag == "--batch") {
      options.batch = true;
    } else if (flag == "--awake") {
      options.awake = true;
    } else if (flag == "--oneway") {
      options.oneway = true;
    } else if (flag == "--otlp") {
      options.otlp = value();
    } else {
      usage(argv[0], argv[i]);
    }
  }
  return options;
}

Meter::Meter(const EchoOptions& options)
    : latencies_on_(options.inflight == 1 && !options.oneway),
      measure_ns_(static_cast<std::uint64_t>(options.seconds * 1e9)) {
  if (latencies_on_) latencies_.reserve(1u << 22);
}

std::uint64_t Meter::now_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(time.tv_nsec);
}

bool Meter::stop() noexcept {
  if (!latencies_on_ && (++checks_ & 63u) != 0) return false;
  const std::uint64_t now = now_ns();
  const auto counts = [&](std::uint64_t* out) {
    out[0] = syscalls();
    out[1] = allocations();
    out[2] = shared_->server_syscalls;
    out[3] = shared_->server_allocations;
  };
  if (!measuring_) {
    if (warm_until_ns_ == 0) warm_until_ns_ = now + static_cast<std::uint64_t>(kWarmSeconds * 1e9);
    if (now < warm_until_ns_) return false;
    measuring_ = true;
    first_calls_ = calls_;
    latencies_.clear();
    counts(first_counts_);
    first_server_cpu_ = cpu_of(server_);
    first_cpu_ = process_cpu_seconds();
    begin_ns_ = now_ns();
    return false;
  }
  if (now < begin_ns_ + measure_ns_) return false;
  if (end_ns_ == 0) {
    end_ns_ = now;
    last_cpu_ = process_cpu_seconds();
    last_server_cpu_ = cpu_of(server_);
    counts(last_counts_);
  }
  return true;
}

int echo_main(
    const EchoOptions& options,
    const std::function<void(const EchoOptions&, EchoShared&, std::function<void(int)>)>& serve,
    const std::function<void(const EchoOptions&, int, Meter&)>& call) {
  auto* shared = static_cast<EchoShared*>(
      mmap(nullptr, sizeof(EchoShared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  int ends[2];
  if (shared == MAP_FAILED || pipe(ends) != 0) return 1;
  const pid_t server = fork();
  if (server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    run_on_cpu(options.server_cpu);
    if (options.awake) keep_awake();
    serve(options, *shared, [&](int port) {
      if (write(ends[1], &port, sizeof port) != sizeof port) _exit(1);
    });
    _exit(0);
  }
  close(ends[1]);
  int port = 0;
  if (read(ends[0], &port, sizeof port) != sizeof port) {
    std::fprintf(stderr, "echo: the server did not start\n");
    return 1;
  }
  run_on_cpu(options.client_cpu);
  if (options.awake) keep_awake();
  Meter meter(options);
  meter.server_ = server;
  meter.shared_ = shared;
  call(options, port, meter);
  kill(server, SIGTERM);
  waitpid(server, nullptr, 0);

  const double calls =
      static_cast<double>(std::max<std::uint64_t>(1, meter.calls_ - meter.first_calls_));
  const double seconds = static_cast<double>(meter.end_ns_ - meter.begin_ns_) * 1e-9;
  const double p50 = percentile_us(meter.latencies_, 50);
  const double p99 = percentile_us(meter.latencies_, 99);
  const double client_cpu = meter.last_cpu_ - meter.first_cpu_;
  const double server_cpu = meter.last_server_cpu_ - meter.first_server_cpu_;
  const auto per_call = [&](int a, int b) {
    return static_cast<double>(meter.last_counts_[a] - meter.first_counts_[a] +
                               meter.last_counts_[b] - meter.first_counts_[b]) /
           calls;
  };
  std::printf(
      "{\"calls\":%.0f,\"rate\":%.1f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"cpu_us\":%.4f,"
      "\"server_cpu_us\":%.4f,\"syscalls\":%.4f,\"allocations\":%.4f}\n",
      calls, calls / seconds, p50, p99, (client_cpu + server_cpu) / calls * 1e6,
      server_cpu / calls * 1e6, per_call(0, 2), per_call(1, 3));
  std::fflush(stdout);
  _exit(0);
}

}  // namespace spanwire::bench
