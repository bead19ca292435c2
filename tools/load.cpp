// spanwire load: calls a service as fast as it answers and says how fast that is.
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/counters.hpp"
#include "spanwire/base/sleep.hpp"
#include "spanwire/base/spawn.hpp"
#include "spanwire/inspect/text.hpp"
#include "spanwire/rpc/client.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

// After a failure, so that a server that refuses is not also flooded.
constexpr std::chrono::nanoseconds kPauseAfterFailure = 10ms;
// How often a stage looks whether it is over; the second when its time is up and no call has ended.
constexpr std::chrono::nanoseconds kLook = 50ms;
constexpr std::chrono::nanoseconds kLookForTheFirst = 1ms;

struct LoadArguments {
  std::string address;
  std::string path;
  unsigned in_flight = 64;
  std::string duration = "10s";
  std::string warmup = "1s";
  std::vector<std::string> sizes = {"256"};
  std::string timeout = "30s";
  unsigned threads = 1;
  unsigned connections = 1;
  std::string json;
  bool quiet = false;
  transport::CurveOptions curve;
};

// What the calls of one loop have shown.  Written on that loop; `calls` and `ended` are read
// elsewhere.
struct Tally {
  std::atomic<std::uint64_t> calls{0};
  std::atomic<bool> ended{false};  // one has, well or not
  std::uint64_t bytes_back = 0;
  std::uint64_t slowest_ns = 0;
  std::array<std::uint64_t, kHistogramBuckets> buckets{};
  std::map<std::string, std::uint64_t> failures;

  void count(std::uint64_t nanoseconds, std::size_t bytes) {
    calls.store(calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    bytes_back += bytes;
    slowest_ns = std::max(slowest_ns, nanoseconds);
    ++buckets[histogram_bucket(nanoseconds)];
  }
};

// Warm-up, measurement, end: the tasks look at it before each call.
enum class Stage : int { warming, measuring, over };
std::atomic<Stage> stage{Stage::warming};

static_assert(std::atomic<bool>::is_always_lock_free);
std::atomic<bool> interrupted{false};
void on_interrupt(int) { interrupted.store(true); }

struct Round {
  rpc::Client* client = nullptr;
  std::string path;
  Slice payload;
  rpc::CallOptions options;
};

Task<void> caller(std::shared_ptr<const Round> round, Tally* tally) {
  for (Stage now = stage.load(); now != Stage::over; now = stage.load()) {
    Slice payload = round->payload;
    const MonotonicTime start = Clock::system().monotonic();
    const Result<rpc::Reply> reply = co_await round->client->call(
        trace::Context(), rpc::Path::of_static(round->path), std::move(payload), round->options);
    const std::chrono::nanoseconds took = Clock::system().monotonic() - start;
    if (now == Stage::warming || stage.load() == Stage::over) continue;
    tally->ended.store(true, std::memory_order_relaxed);
    if (reply) {
      tally->count(static_cast<std::uint64_t>(took.count()), reply->payload().size());
    } else {
      ++tally->failures[std::string(name(reply.error().code()))];
      static_cast<void>(co_await sleep_for(kPauseAfterFailure));
    }
  }
}

struct Measured {
  std::size_t payload_bytes = 0;
  double seconds = 0;
  std::uint64_t calls = 0;
  std::uint64_t bytes_back = 0;
  HistogramReading latency;
  std::uint64_t slowest_ns = 0;
  std::map<std::string, std::uint64_t> failures;
};

Measured sum_of(const std::vector<std::unique_ptr<Tally>>& tallies) {
  Measured sum;
  for (const auto& tally : tallies) {
    sum.calls += tally->calls.load();
    sum.bytes_back += tally->bytes_back;
    sum.slowest_ns = std::max(sum.slowest_ns, tally->slowest_ns);
    for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
      sum.latency.buckets[i] += tally->buckets[i];
    }
    for (const auto& [cause, count] : tally->failures) sum.failures[cause] += count;
  }
  sum.latency.count = sum.calls;
  return sum;
}

// A machine may be too busy for a single call in all of the time that is to be measured.
bool has_measured(const std::vector<std::unique_ptr<Tally>>& tallies) {
  return std::any_of(tallies.begin(), tallies.end(), [](const auto& tally) {
    return tally->ended.load(std::memory_order_relaxed);
  });
}

// Until the time is up and, of the measurement, a call has ended; or somebody interrupts.
void wait_for(std::chrono::nanoseconds length, const char* what, std::size_t size,
              const std::vector<std::unique_ptr<Tally>>& tallies, bool quiet) {
  const auto start = std::chrono::steady_clock::now();
  const bool measuring = stage.load() == Stage::measuring;
  auto next_line = start + 1s;
  for (auto now = start; !interrupted.load(); now = std::chrono::steady_clock::now()) {
    const std::chrono::nanoseconds left = start + length - now;
    if (left <= 0ns && (!measuring || has_measured(tallies))) return;
    std::this_thread::sleep_for(left > 0ns ? std::min(kLook, left) : kLookForTheFirst);
    if (quiet || now < next_line) continue;
    next_line += 1s;
    std::uint64_t calls = 0;
    for (const auto& tally : tallies) calls += tally->calls.load();
    std::fprintf(stderr, "%s %zu bytes: %.0f s, %llu calls\n", what, size,
                 std::chrono::duration<double>(now - start).count(),
                 static_cast<unsigned long long>(calls));
  }
}

Measured run(rpc::Runtime& runtime, rpc::Client& client, const LoadArguments& arguments,
             std::size_t size) {
  std::vector<std::unique_ptr<Tally>> tallies;
  for (std::size_t i = 0; i < runtime.loops(); ++i) tallies.push_back(std::make_unique<Tally>());
  // Shared: whoever counts it down last is still in there when the wait is over.
  const auto ended = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(arguments.in_flight));
  const auto round = std::make_shared<Round>();
  round->client = &client;
  round->path = arguments.path;
  round->payload = Slice::of(std::string(size, 'x'));
  round->options.timeout = parse_duration(arguments.timeout).value_or(30s);
  stage.store(Stage::warming);
  for (unsigned i = 0; i < arguments.in_flight; ++i) {
    const std::size_t loop = i % runtime.loops();
    Task<void> task = caller(round, tallies[loop].get());
    spawn(runtime.loop(loop), std::move(task), [ended](Task<void>&) { ended->count_down(); });
  }
  wait_for(parse_duration(arguments.warmup, 0ns).value_or(1s), "warming up", size, tallies,
           arguments.quiet);
  const auto start = std::chrono::steady_clock::now();
  stage.store(Stage::measuring);
  wait_for(parse_duration(arguments.duration).value_or(10s), "measuring", size, tallies,
           arguments.quiet);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  stage.store(Stage::over);
  ended->wait();
  Measured measured = sum_of(tallies);
  measured.payload_bytes = size;
  measured.seconds = std::max(took.count(), 1e-9);
  return measured;
}

// A bucket ends a little behind its values: nothing took longer than the slowest.
std::uint64_t quantile_of(const Measured& measured, double quantile) {
  return std::min(measured.latency.quantile(quantile), measured.slowest_ns);
}

constexpr std::pair<const char*, double> kQuantiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

Json json_of(const Measured& measured, const LoadArguments& arguments) {
  Json latency;
  for (const auto& [name, quantile] : kQuantiles) {
    latency[name] = quantile_of(measured, quantile);
  }
  latency["max"] = measured.slowest_ns;
  Json histogram = Json::array();
  for (std::size_t i = 0; i < kHistogramBuckets; ++i) {
    const std::uint64_t count = measured.latency.buckets[i];
    if (count != 0) histogram.push_back({{"from_ns", histogram_bucket_start(i)}, {"calls", count}});
  }
  return {{"address", arguments.address},
          {"path", arguments.path},
          {"payload_bytes", measured.payload_bytes},
          {"in_flight", arguments.in_flight},
          {"seconds", measured.seconds},
          {"calls", measured.calls},
          {"calls_per_second", static_cast<double>(measured.calls) / measured.seconds},
          {"bytes_back", measured.bytes_back},
          {"failures", measured.failures},
          {"latency_ns", std::move(latency)},
          {"histogram", std::move(histogram)}};
}

std::string text_of(const Measured& measured) {
  const auto count = static_cast<double>(measured.calls);
  std::array<char, 160> line;
  std::snprintf(line.data(), line.size(), "%zu bytes: %llu calls in %.1f s, %.0f a second\n ",
                measured.payload_bytes, static_cast<unsigned long long>(measured.calls),
                measured.seconds, count / measured.seconds);
  std::string text = line.data();
  for (const auto& [name, quantile] : kQuantiles) {
    text += std::string(" ") + name + ' ' +
            inspect::duration_text(static_cast<std::int64_t>(quantile_of(measured, quantile))) +
            ',';
  }
  text += " max " + inspect::duration_text(static_cast<std::int64_t>(measured.slowest_ns)) + '\n';
  for (const auto& [cause, failures] : measured.failures) {
    text += "  failed: " + std::to_string(failures) + " x " + cause + '\n';
  }
  return text;
}

bool write_json(const std::string& path, const Json& results) {
  const std::string text = results.dump(2) + '\n';
  if (path == "-") {
    print(text);
    return true;
  }
  std::FILE* file = std::fopen(path.c_str(), "we");
  const bool written =
      file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) complain("cannot write " + path);
  return written && closed;
}

// One call before the many: a wrong address or path is told at once.
Result<void> try_once(rpc::Client& client, const LoadArguments& arguments) {
  rpc::CallOptions options;
  SPANWIRE_TRY(options.timeout, parse_duration(arguments.timeout));
  SPANWIRE_TRY_VOID(client.call_blocking(trace::Context(), rpc::Path(arguments.path),
                                         Slice::of(std::string("x")), options));
  return {};
}

int load(const LoadArguments& arguments) {
  start_tracing();
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  Json results = Json::array();
  bool failed = false;
  {
    rpc::RuntimeOptions runtime_options;
    runtime_options.threads = arguments.threads;
    rpc::Runtime runtime(runtime_options);
    rpc::ClientOptions options;
    options.connections_per_endpoint_max = arguments.connections;
    options.zmq.curve = arguments.curve;
    rpc::Client client(runtime, arguments.address, options);
    if (const Result<void> tried = try_once(client, arguments); !tried) {
      complain(tried.error().message());
      return kExitFailed;
    }
    for (const std::string& size : arguments.sizes) {
      if (interrupted.load()) break;
      const Measured measured = run(runtime, client, arguments, parse_bytes(size).value_or(0));
      failed = failed || !measured.failures.empty() || measured.calls == 0;
      results.push_back(json_of(measured, arguments));
      if (arguments.json != "-") print(text_of(measured));
    }
  }
  finish_tracing();
  if (!arguments.json.empty() && !write_json(arguments.json, results)) return kExitFailed;
  return failed ? kExitFailed : kExitOk;
}

}  // namespace

void add_load(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<LoadArguments>();
  CLI::App* command = app.add_subcommand("load", "Call a service as fast as it answers");
  command->add_option("ADDRESS", arguments->address, "One or more, parted by commas")->required();
  command->add_option("PATH", arguments->path, "What to call")->required();
  command->add_option("--in-flight", arguments->in_flight, "Calls that are under way at any time")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 100'000));
  command
      ->add_option("--seconds", arguments->duration,
                   "How long to measure each size, at least until a call has ended")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command->add_option("--warmup", arguments->warmup, "How long to call before that; may be 0")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check(0ns));
  command->add_option("--size", arguments->sizes, "Payloads, measured one after the other")
      ->type_name("BYTES")
      ->delimiter(',')
      ->capture_default_str()
      ->check(bytes_check());
  command->add_option("--timeout", arguments->timeout, "Of each call")
      ->type_name("T")
      ->capture_default_str()
      ->check(duration_check());
  command->add_option("--threads", arguments->threads, "Loops; 0 is one a core")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'024));
  command->add_option("--connections", arguments->connections, "At most, for each address and loop")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'024));
  add_client_keys(*command, arguments->curve);
  command->add_option("--json", arguments->json, "Write the results; - is standard output")
      ->type_name("FILE");
  command->add_flag("-q,--quiet", arguments->quiet, "No progress on standard error");
  command->footer(
      "Examples:\n"
      "  spanwire load tcp://127.0.0.1:7001 echo\n"
      "  spanwire load tcp://127.0.0.1:7001 echo --in-flight 1 --seconds 30\n"
      "  spanwire load tcp://a:7001,tcp://b:7001 echo --size 256,64k,1M --json - --quiet\n"
      "\n"
      "The JSON is an array with an object for each size: calls, calls_per_second, failures by\n"
      "cause, latency_ns and the histogram it comes from.  SIGINT ends early and still reports.\n"
      "The exit code is 1 if a call failed.");
  command->callback([arguments, &exit_code] { exit_code = load(*arguments); });
}

}  // namespace spanwire::tools
