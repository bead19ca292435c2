#include "bench/measure.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace spanwire::bench {
namespace {

double seconds_of(clockid_t clock) noexcept {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

thread_local double uncounted_seconds = 0;

double nanoseconds_per_operation(const Bench::Body& body, std::uint64_t iterations) {
  uncounted_seconds = 0;
  const double begin = thread_cpu_seconds();
  body(iterations);
  const double taken = thread_cpu_seconds() - begin - uncounted_seconds;
  return taken * 1e9 / static_cast<double>(iterations);
}

// So many operations that a round takes about `seconds`.
std::uint64_t calibrated(const Bench::Body& body, double seconds) {
  std::uint64_t iterations = 16;
  for (;;) {
    const double taken = nanoseconds_per_operation(body, iterations) * 1e-9;
    const double round = taken * static_cast<double>(iterations);
    if (round >= seconds / 4 || iterations >= (std::uint64_t{1} << 40)) {
      const double wanted = seconds / std::max(taken, 1e-10);
      return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
    }
    iterations *= 4;
  }
}

std::string number(const std::optional<double>& value) {
  if (!value) return "null";
  char text[48];
  std::snprintf(text, sizeof text, "%.6g", *value);
  return text;
}

}  // namespace

double thread_cpu_seconds() noexcept { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }
double process_cpu_seconds() noexcept { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }
double wall_seconds() noexcept { return seconds_of(CLOCK_MONOTONIC); }

Uncounted::~Uncounted() { uncounted_seconds += thread_cpu_seconds() - begin_; }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Bench::Bench(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--quick") {
      quick_ = true;
    } else if (flag == "--only" && i + 1 < argc) {
      only_ = argv[++i];
    } else {
      std::fprintf(stderr, "usage: %s [--quick] [--only PATTERN]\n", argv[0]);
      std::exit(2);
    }
  }
}

bool Bench::wants(std::string_view name) const noexcept {
  return only_.empty() || name.find(only_) != std::string_view::npos;
}

void Bench::print(const Line& line) const {
  std::printf(
      "{\"name\":\"%s\",\"unit\":\"%s\",\"value\":%s,\"reference\":%s,\"allocations\":%s,\"ratio\":"
      "%s}\n",
      line.name.c_str(), line.unit.c_str(), number(line.value).c_str(),
      number(line.reference).c_str(), number(line.allocations).c_str(), number(line.ratio).c_str());
  std::fflush(stdout);
}

void Bench::run(const std::string& name, const Body& ours, const Body* reference) const {
  if (!wants(name)) return;
  const std::uint64_t iterations = calibrated(ours, round_seconds());
  const std::uint64_t reference_iterations =
      reference != nullptr ? calibrated(*reference, round_seconds()) : 0;
  std::vector<double> values(static_cast<std::size_t>(rounds()));
  std::vector<double> references(values.size());
  std::uint64_t allocated = 0;
  for (std::size_t round = 0; round < values.size(); ++round) {
    const std::uint64_t before = allocations();
    values[round] = nanoseconds_per_operation(ours, iterations);
    allocated = allocations() - before;
    if (reference == nullptr) continue;
    references[round] = nanoseconds_per_operation(*reference, reference_iterations);
  }
  Line line{name, "ns", median(values)};
  if (reference != nullptr) line.reference = median(references);
  line.allocations = static_cast<double>(allocated) / static_cast<double>(iterations);
  print(line);
}

void Bench::compare(const std::string& name, const Body& ours, const Body& reference) const {
  run(name, ours, &reference);
}

void Bench::measure(const std::string& name, const Body& ours) const { run(name, ours, nullptr); }

}  // namespace spanwire::bench
