// Follows requests through a small engine: a tokenizer, and a scheduler in a thread of its own that
// works on all of them at once.  The spans go to a file: spanwire view FILE.
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "spanwire/journey/batch.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/thread_info.hpp"
#include "spanwire/otlp/file_exporter.hpp"
#include "spanwire/trace/provider.hpp"

using namespace spanwire;

namespace {

constexpr int kRequests = 4;
constexpr int kSteps = 3;

// What goes to the scheduler, in an engine over a socket: the id and the header.
struct Message {
  std::string rid;
  std::string header;
};

Message tokenize(journey::Request& request, const std::string& rid) {
  request.slice_start("tokenize");
  // ... text becomes tokens ...
  request.slice_end("tokenize");
  return {rid, std::string(journey::to_text(request.propagate()).view())};
}

// Every step is one call for the whole batch, and a span of its own that links to its requests.
void decode(std::vector<journey::Request>& batch) {
  const MonotonicTime begin = Clock::system().monotonic();
  for (int step = 0; step < kSteps; ++step) {
    const trace::Attribute attributes[] = {{"decode_ct", step}};
    const journey::Slice slices[] = {
        {.name = "decode_loop", .level = journey::kEverything, .attributes = attributes}};
    journey::slice_batch(batch, slices);
  }
  journey::batch_span({.name = "decode", .start = begin}, batch);
}

void schedule(const std::vector<Message>& messages) {
  journey::set_thread_info("scheduler", {.tp = 0});
  std::vector<journey::Request> batch;
  for (const Message& message : messages) {
    journey::PropagateContext context;
    if (journey::read_text(message.header, context) != Errc::ok) continue;
    batch.push_back(journey::attach_request(context, message.rid));
    batch.back().slice_start("prefill_forward");
  }
  for (journey::Request& request : batch) request.slice_end("prefill_forward");
  decode(batch);
  for (journey::Request& request : batch) {
    request.slice_start("quick_finish");
    request.slice_end("quick_finish", {.thread_finish = true});
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string file = argc > 1 ? argv[1] : "/dev/stdout";
  trace::ProviderOptions options;
  options.resource.set("service.name", std::string("sglang"));
  options.exporters.push_back(std::make_unique<otlp::FileExporter>(file));
  trace::Provider& provider = trace::init(std::move(options));

  journey::set_thread_info("tokenizer");
  std::vector<journey::Request> requests;
  std::vector<Message> messages;
  for (int i = 0; i < kRequests; ++i) {
    const std::string rid = "request" + std::to_string(i);
    requests.push_back(journey::start_request({.rid = rid, .module = "request"}));
    messages.push_back(tokenize(requests.back(), rid));
  }
  std::thread([&messages] { schedule(messages); }).join();
  for (journey::Request& request : requests) request.finish();

  const trace::FlushReport report = provider.shutdown(std::chrono::seconds(5));
  std::fprintf(stderr, "%s\n", report.to_string().c_str());
  return report.complete() ? 0 : 1;
}
