// A request over real processes: two tokenizers, a relay that does not trace, a scheduler.  Each
// has a file of its own; together they are one tree per request.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/thread_info.hpp"
#include "spanwire/otlp/file_exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::journey {
namespace {

using nlohmann::json;

constexpr int kRequests = 20;  // of each tokenizer

// Lines over a pipe.
struct Pipe {
  Pipe() { EXPECT_EQ(pipe(ends.data()), 0); }
  void write_line(std::string line) const {
    line += '\n';
    EXPECT_EQ(::write(ends[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  // Empty at the end.
  std::string read_line() const {
    std::string line;
    for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) line += c;
    return line;
  }
  void close_writing() const { close(ends[1]); }
  std::array<int, 2> ends{};
};

void trace_into(const std::filesystem::path& file, const char* label) {
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<otlp::FileExporter>(file.string()));
  trace::init(std::move(options));
  set_thread_info(label);
}

[[noreturn]] void leave() {
  bool good = !::testing::Test::HasFailure();
  if (trace::Provider* provider = trace::provider()) {
    good = provider->shutdown(std::chrono::seconds(30)).complete() && good;
  }
  _exit(good ? 0 : 1);
}

template <class Work>
pid_t process(const Work& work) {
  const pid_t child = fork();
  if (child != 0) return child;
  work();
  leave();
}

void tokenize(const Pipe& out, int number) {
  for (int i = 0; i < kRequests; ++i) {
    const std::string rid = std::to_string(number) + "_request" + std::to_string(i);
    Request request = start_request({.rid = rid});
    request.slice_start("tokenize");
    out.write_line(rid + " " + std::string(to_text(request.propagate()).view()));
    request.slice_end("tokenize");
    request.finish();
  }
}

// Knows nothing of tracing but the header.
void relay(const Pipe& in, const Pipe& out) {
  for (std::string line = in.read_line(); !line.empty(); line = in.read_line()) {
    const std::size_t blank = line.find(' ');
    PropagateContext context;
    EXPECT_EQ(read_text(line.substr(blank + 1), context), Errc::ok);
    Request request = attach_request(context, line.substr(0, blank));
    EXPECT_FALSE(request.recording());
    const PropagateText text = to_text(request.propagate());
    EXPECT_EQ(text.view(), line.substr(blank + 1)) << "untouched";
    request.abort();
    out.write_line(line.substr(0, blank + 1) + std::string(text.view()));
  }
}

void schedule(const Pipe& in) {
  for (std::string line = in.read_line(); !line.empty(); line = in.read_line()) {
    const std::size_t blank = line.find(' ');
    PropagateContext context;
    EXPECT_EQ(read_text(line.substr(blank + 1), context), Errc::ok);
    Request request = attach_request(context, line.substr(0, blank));
    request.slice_start("prefill_forward");
    request.slice_end("prefill_forward", {.thread_finish = true});
  }
}

std::vector<json> spans_of(const std::filesystem::path& file) {
  std::vector<json> spans;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const json batch = json::parse(line);
    for (const json& resource : batch.at("resourceSpans")) {
      for (const json& scope : resource.at("scopeSpans")) {
        EXPECT_EQ(scope.at("scope").at("name"), "sglang server");
        for (const json& span : scope.at("spans")) spans.push_back(span);
      }
    }
  }
  return spans;
}

TEST(Processes, MakeOneTreeOfEachRequest) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("journey." + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  const Pipe to_relay;
  const Pipe to_scheduler;
  std::vector<pid_t> children;
  // Who reads a pipe to its end must not hold its other end, nor that of whoever is waited for.
  children.push_back(process([&] {
    to_relay.close_writing();
    to_scheduler.close_writing();
    trace_into(folder / "scheduler", "scheduler");
    schedule(to_scheduler);
  }));
  children.push_back(process([&] {
    to_relay.close_writing();
    relay(to_relay, to_scheduler);
  }));
  for (const int number : {0, 1}) {
    children.push_back(process([&] {
      trace_into(folder / ("tokenizer" + std::to_string(number)), "tokenizer");
      tokenize(to_relay, number);
    }));
  }
  to_relay.close_writing();
  to_scheduler.close_writing();
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }

  std::map<std::string, json> by_id;
  std::set<std::string> traces;
  std::vector<json> scheduled;
  for (const char* name : {"tokenizer0", "tokenizer1", "scheduler"}) {
    for (const json& span : spans_of(folder / name)) {
      EXPECT_TRUE(by_id.emplace(span.at("spanId"), span).second) << "ids are new in each process";
      if (span.value("parentSpanId", "").empty()) {
        EXPECT_TRUE(traces.insert(span.at("traceId")).second);
      }
      if (span.at("name") == "prefill_forward") scheduled.push_back(span);
    }
  }
  EXPECT_EQ(traces.size(), 2u * kRequests);
  EXPECT_EQ(scheduled.size(), 2u * kRequests);
  EXPECT_EQ(by_id.size(), 2u * kRequests * 5);
  for (const json& slice : scheduled) {
    const json& thread = by_id.at(slice.at("parentSpanId"));
    const json& root = by_id.at(thread.at("parentSpanId"));
    EXPECT_EQ(root.at("name").get<std::string>().substr(0, 12), " Req request");
    EXPECT_EQ(slice.at("traceId"), root.at("traceId"));
    ASSERT_EQ(slice.at("links").size(), 1u);
    const json& linked = by_id.at(slice.at("links")[0].at("spanId"));
    EXPECT_EQ(linked.at("name"), "tokenize");
    EXPECT_EQ(linked.at("traceId"), slice.at("traceId"));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace spanwire::journey
