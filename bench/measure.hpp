// What benches share: interleaved rounds, medians, an allocation counter, one JSON line a result.
//   {"name":"trace/extract","unit":"ns","value":31.2,"reference":29.8,"allocations":0,"ratio":null}
// `reference` is null where there is none; `allocations` are those of one operation, null where
// they were not counted.  Flags: --quick (short rounds, to see that it runs), --only PATTERN (names
// that contain it).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spanwire::bench {

// Calls of operator new in this process so far, over all threads.
std::uint64_t allocations() noexcept;

// CPU time of the calling thread, of the process, and the time on the wall; seconds.
double thread_cpu_seconds() noexcept;
double process_cpu_seconds() noexcept;
double wall_seconds() noexcept;

// Makes the compiler believe that `value` is read and changed here.
template <class T>
inline void opaque(T& value) noexcept {
  asm volatile("" : : "r"(&value) : "memory");
}

// While it lives, the calling thread's CPU time counts for nothing in a round that is measured.
class Uncounted {
 public:
  Uncounted() noexcept : begin_(thread_cpu_seconds()) {}
  ~Uncounted();
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;

 private:
  double begin_;
};

double median(std::vector<double> values);

struct Line {
  std::string name;
  std::string unit;
  double value = 0;
  std::optional<double> reference{};
  std::optional<double> allocations{};
  // Of ours to the reference, where rounds were paired; null: the one of the medians.
  std::optional<double> ratio{};
};

class Bench {
 public:
  // Ends the process with a usage line for flags it does not know.
  Bench(int argc, char** argv);

  bool quick() const noexcept { return quick_; }
  // At least seven.
  int rounds() const noexcept { return 9; }
  // Of one round of one side.
  double round_seconds() const noexcept { return quick_ ? 0.002 : 0.05; }
  // False for a name that --only excludes: skip the work, too.
  bool wants(std::string_view name) const noexcept;
  void print(const Line& line) const;

  // Runs `iterations` operations.
  using Body = std::function<void(std::uint64_t iterations)>;
  // Nanoseconds of thread CPU time per operation, ours and the reference's rounds in turn.
  // Allocations are ours, over a round after the first.
  void compare(const std::string& name, const Body& ours, const Body& reference) const;
  void measure(const std::string& name, const Body& ours) const;

 private:
  void run(const std::string& name, const Body& ours, const Body* reference) const;

  bool quick_ = false;
  std::string only_;
};

}  // namespace spanwire::bench
