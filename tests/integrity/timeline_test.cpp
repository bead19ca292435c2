// A request's journey, as the journey layer writes it and the converter draws it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>

#include "spanwire/inspect/convert.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/thread_info.hpp"
#include "spanwire/otlp/file_exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire {
namespace {

constexpr int kSteps = 5;

void schedule(journey::Request request) {
  journey::set_thread_info("scheduler", {.tp = 0});
  request.rebuild_thread_context();
  request.slice_start("prefill_waiting");
  request.slice_end("prefill_waiting");
  for (int i = 0; i < kSteps; ++i) {
    request.slice_start("decode_loop");
    request.slice_end("decode_loop", {.thread_finish = i + 1 == kSteps});
  }
}

// One request over two threads, in a file of this process.
void trace_request(const std::string& path) {
  trace::ProviderOptions options;
  options.exporters.push_back(std::make_unique<otlp::FileExporter>(path));
  trace::Provider& provider = trace::init(std::move(options));
  journey::set_thread_info("tokenizer");
  journey::Request request = journey::start_request({.rid = "req-1"});
  request.slice_start("tokenize");
  request.slice_end("tokenize");
  std::thread(schedule, request.copy_for_thread()).join();
  request.finish();
  EXPECT_TRUE(provider.shutdown(std::chrono::seconds(30)).complete());
}

TEST(Timeline, DrawsAJourneyOverTwoThreads) {
  const std::string own = ::testing::TempDir() + "spanwire_journey_" + std::to_string(::getpid());
  const std::string traces = own + ".jsonl";
  const std::string output = own + ".json";
  std::remove(traces.c_str());
  trace_request(traces);

  inspect::ConvertOptions options;
  options.format = inspect::TimelineFormat::chrome;
  options.files = {traces};
  options.output = output;
  options.request = "req-1";
  const Result<inspect::ConvertReport> report = inspect::convert(options);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->read.problem_count, 0u);
  // The root, two threads, their slices.
  EXPECT_EQ(report->slices, 1u + 2u + 2u + kSteps);
  EXPECT_EQ(report->dangling, 0u);
  // From the root to each thread, and from slice to slice.
  EXPECT_EQ(report->flows, 2u + 1u + kSteps);

  const auto document = nlohmann::json::parse(std::ifstream(output));
  std::map<int, std::string> threads;
  std::map<std::string, std::set<std::string>> slices;
  for (const auto& event : document["traceEvents"]) {
    if (event["name"] == "thread_name") threads[event["tid"]] = event["args"]["name"];
    if (event["ph"] == "X") slices[threads[event["tid"]]].insert(event["name"]);
  }
  const auto on = [&](const std::string& label) {
    const auto found = std::find_if(slices.begin(), slices.end(), [&](const auto& item) {
      return item.first.starts_with(label);
    });
    return found == slices.end() ? std::set<std::string>() : found->second;
  };
  EXPECT_TRUE(on("tokenizer (pid ").contains("tokenize"));
  EXPECT_TRUE(on("scheduler [TP 0] (pid ").contains("prefill_waiting"));
  EXPECT_TRUE(on("scheduler [TP 0] (pid ").contains("decode_loop"));
  std::remove(traces.c_str());
  std::remove(output.c_str());
}

}  // namespace
}  // namespace spanwire
