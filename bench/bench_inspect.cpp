// perfetto/convert: OTLP JSON lines in a file become a native timeline in another, spans a second
// of CPU time.  inspect/load_100k: 100,000 spans are read and assembled into trees, seconds.  The
// references are what is asked for, not other programs.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/measure.hpp"
#include "spanwire/inspect/convert.hpp"
#include "spanwire/inspect/reader.hpp"
#include "spanwire/inspect/tree.hpp"

namespace {

using namespace spanwire;

constexpr double kSpansASecond = 200'000;
constexpr double kLoadSeconds = 1.5;
constexpr std::size_t kSpansOfTrace = 10;
constexpr std::size_t kSpansOfLine = 500;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "bench_inspect: %s\n", what);
  std::abort();
}

// As an engine writes it: a request is a root in the frontend, a thread and eight slices in the
// worker, each linked to the one before it.
std::string span_text(std::size_t number) {
  const std::size_t trace = number / kSpansOfTrace;
  const std::size_t place = number % kSpansOfTrace;
  const unsigned long long start = 1'795'254'000'000'000'000ull + trace * 150'000 + place * 40'000;
  const unsigned long long end = start + (place == 0 ? 420'000 : place == 1 ? 380'000 : 40'000);
  char text[1'024];
  std::snprintf(
      text, sizeof text,
      R"({"traceId":"%032zx","spanId":"%016zx","parentSpanId":"%s","name":"%s","kind":%d,)"
      R"("startTimeUnixNano":"%llu","endTimeUnixNano":"%llu","flags":257,"attributes":[)"
      R"({"key":"rpc.system.name","value":{"stringValue":"spanwire"}},)"
      R"({"key":"request.id","value":{"stringValue":"req-%zu"}},)"
      R"({"key":"decode_ct","value":{"intValue":"%zu"}},)"
      R"({"key":"queue.seconds","value":{"doubleValue":0.00125}}],)"
      R"("events":[{"timeUnixNano":"%llu","name":"schedule","attributes":[]}],"links":[%s],)"
      R"("status":{}})",
      trace + 1, number + 1, "%PARENT%",
      place == 0   ? "llm/generate"
      : place == 1 ? "scheduler"
                   : "decode_loop",
      place == 0 ? 2 : 1, start, end, trace, place, start + 100, "%LINKS%");
  std::string span = text;
  char parent[17] = "";
  if (place > 0)
    std::snprintf(parent, sizeof parent, "%016zx", number + 1 - (place == 1 ? 1 : place - 1));
  span.replace(span.find("%PARENT%"), 8, parent);
  char link[96] = "";
  if (place > 2) {
    std::snprintf(link, sizeof link, R"({"traceId":"%032zx","spanId":"%016zx"})", trace + 1,
                  number);
  }
  span.replace(span.find("%LINKS%"), 7, link);
  return span;
}

// Of one process a line, as exporters write them.
std::string lines_of(std::size_t spans) {
  std::string lines;
  for (std::size_t first = 0; first < spans; first += kSpansOfLine) {
    lines +=
        R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":)"
        R"("worker"}},{"key":"process.pid","value":{"intValue":"4711"}}]},"scopeSpans":[{"scope":)"
        R"({"name":"bench"},"spans":[)";
    for (std::size_t i = first; i < std::min(spans, first + kSpansOfLine); ++i) {
      if (i > first) lines += ',';
      lines += span_text(i);
    }
    lines += "]}]}]}\n";
  }
  return lines;
}

class TextFile {
 public:
  explicit TextFile(const std::string& text) {
    const int file = ::mkstemp(path_.data());
    require(file >= 0, "no temporary file");
    std::FILE* const stream = ::fdopen(file, "w");
    require(std::fwrite(text.data(), 1, text.size(), stream) == text.size(), "cannot write");
    require(std::fclose(stream) == 0, "cannot write");
  }
  ~TextFile() { std::remove(path_.c_str()); }
  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_ = "/tmp/spanwire_bench_XXXXXX";
};

// The median over rounds of the CPU seconds that `body` takes.
template <class Body>
double seconds_of(const bench::Bench& bench, const Body& body) {
  std::vector<double> seconds;
  for (int round = 0; round < (bench.quick() ? 1 : bench.rounds()); ++round) {
    const double begin = bench::thread_cpu_seconds();
    body();
    seconds.push_back(bench::thread_cpu_seconds() - begin);
  }
  return bench::median(std::move(seconds));
}

void convert(const bench::Bench& bench, std::size_t spans) {
  const TextFile input(lines_of(spans));
  const TextFile output("");
  inspect::ConvertOptions options;
  options.files = {input.path()};
  options.output = output.path();
  const double seconds = seconds_of(bench, [&] {
    const Result<inspect::ConvertReport> report = inspect::convert(options);
    require(report && report->slices == spans && report->read.problem_count == 0, "not all spans");
    require(report->flows > spans / 2, "not all arrows");
  });
  bench.print({"perfetto/convert", "spans/s", static_cast<double>(spans) / seconds, kSpansASecond});
}

void load(const bench::Bench& bench) {
  constexpr std::size_t kSpans = 100'000;
  const std::string lines = lines_of(kSpans);
  const double seconds = seconds_of(bench, [&] {
    inspect::Reader reader;
    reader.read_text("bench", lines);
    const std::vector<inspect::Tree> trees = inspect::build_trees(reader.traces());
    require(trees.size() == kSpans / kSpansOfTrace && trees[0].nodes.size() == kSpansOfTrace,
            "not all spans");
  });
  bench.print({"inspect/load_100k", "s", seconds, kLoadSeconds});
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  if (bench.wants("perfetto/convert")) convert(bench, bench.quick() ? 10'000 : 200'000);
  if (bench.wants("inspect/load_100k")) load(bench);
}
