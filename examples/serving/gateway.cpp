#include "examples/serving/gateway.hpp"

#include <utility>

#include "examples/serving/breakage.hpp"
#include "examples/serving/process.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/rpc/failure.hpp"

namespace serving {

namespace journey = spanwire::journey;
namespace rpc = spanwire::rpc;
namespace trace = spanwire::trace;
using spanwire::Errc;
using spanwire::Result;
using spanwire::Slice;
using spanwire::Task;

namespace {

constexpr std::chrono::minutes kPrefillMax{2};
constexpr std::chrono::seconds kConnectMax{60};
constexpr std::chrono::seconds kAskMax{5};

std::string joined(const std::vector<std::string>& addresses) {
  std::string all;
  for (const std::string& address : addresses) all += (all.empty() ? "" : ",") + address;
  return all;
}

// A trace that is not sampled: questions about a worker's health would drown the requests.
trace::Context untraced() {
  spanwire::Random& random = spanwire::Random::of_thread();
  return trace::Context(
      trace::SpanContext(trace::TraceId::generate(random), trace::SpanId::generate(random), 0));
}

}  // namespace

// What the tasks of one request share.
struct Gateway::Request {
  std::shared_ptr<Generation> generation = std::make_shared<Generation>();
  trace::Context context;
  std::string journey;  // for kPropagateHeader; empty: none
  GenerateRequest message;
  std::vector<Token> answer;
  std::size_t worker = 0;
  bool remote_prefill = false;
};

Gateway::Gateway(rpc::Runtime& runtime, std::shared_ptr<const LanguageModel> model,
                 const std::vector<std::string>& prefill, const std::vector<std::string>& decode)
    : runtime_(runtime), model_(std::move(model)), prefill_addresses_(prefill) {
  rpc::ClientOptions options;
  options.balancing = rpc::Balancing::least_in_flight;
  if (!prefill.empty())
    prefill_ = std::make_unique<rpc::Client>(runtime_, joined(prefill), options);
  for (const std::string& address : decode)
    decode_.push_back({address, std::make_unique<rpc::Client>(runtime_, address)});
}

Gateway::~Gateway() {
  // Ends the calls, and with them the tasks, of which the last one wakes us.
  prefill_.reset();
  for (DecodeWorker& worker : decode_) worker.client.reset();
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return tasks_ == 0; });
}

void Gateway::run(Task<void> task) {
  {
    const std::lock_guard lock(mutex_);
    ++tasks_;
  }
  runtime_.spawn(std::move(task));
}

void Gateway::task_done() {
  // Under the lock: who waits may destroy this object as soon as it has seen the number.
  const std::lock_guard lock(mutex_);
  if (--tasks_ == 0) idle_.notify_one();
}

Result<WorkerInfo> Gateway::ask(rpc::Client& client, std::chrono::seconds timeout, bool wait) {
  rpc::CallOptions options;
  options.timeout = timeout;
  options.wait_for_ready = wait;
  SPANWIRE_TRY(const rpc::Reply reply,
               client.call_blocking(untraced(), kInfoPath, Slice(), options));
  return rpc::Codec<WorkerInfo>::decode(reply.payload());
}

Result<void> Gateway::connect() {
  for (DecodeWorker& worker : decode_) {
    SPANWIRE_TRY(const WorkerInfo info, ask(*worker.client, kConnectMax, true));
    if (info.model != model_->fingerprint())
      return spanwire::fail(Errc::invalid_argument, worker.address + " has another model");
    router_.add_worker(info.blocks);
  }
  if (prefill_ != nullptr) SPANWIRE_TRY_VOID(ask(*prefill_, kConnectMax, true));
  return {};
}

std::vector<Gateway::WorkerState> Gateway::workers() {
  std::vector<WorkerState> states;
  if (prefill_ != nullptr)
    states.push_back({joined(prefill_addresses_), ask(*prefill_, kAskMax, false)});
  for (DecodeWorker& worker : decode_)
    states.push_back({worker.address, ask(*worker.client, kAskMax, false)});
  return states;
}

Result<std::string> Gateway::metrics(std::size_t worker, std::string accept) {
  const std::size_t first = prefill_ != nullptr ? 1 : 0;
  if (worker >= first + decode_.size())
    return spanwire::fail(Errc::not_found, "there is no worker " + std::to_string(worker));
  rpc::Client& client = worker < first ? *prefill_ : *decode_[worker - first].client;
  rpc::CallOptions options;
  options.timeout = kAskMax;
  SPANWIRE_TRY(const rpc::Reply reply, client.call_blocking(untraced(), kMetricsPath,
                                                            Slice::of(std::move(accept)), options));
  return std::string(spanwire::text_of(reply.payload()));
}

rpc::CallOptions Gateway::options_of(const Request& request) const {
  rpc::CallOptions options;
  if (!request.journey.empty()) options.headers.set(journey::kPropagateHeader, request.journey);
  return options;
}

std::shared_ptr<Generation> Gateway::start(const journey::PropagateContext& from, std::string id,
                                           std::vector<Token> prompt, const ChatRequest& chat) {
  const auto request = std::make_shared<Request>();
  request->context = from.request.with_cancellation(request->generation->cancellation());
  request->journey = journey::to_text(from).view();
  GenerateRequest& message = request->message;
  message.id = std::move(id);
  message.model = model_->fingerprint();
  message.tokens = std::move(prompt);
  message.tokens_max = chat.tokens_max;
  message.sampling = chat.sampling;
  message.expects_state = prefill_ != nullptr;
  request->worker = find_best_match(*request).worker;
  message.send_state_to = decode_[request->worker].address;
  if (prefill_ != nullptr) start_prefill(request);
  run(decode(request));
  return request->generation;
}

Router::Choice Gateway::find_best_match(Request& request) {
  trace::Span span = tracer().start(request.context, "kv_find_best_match");
  const std::vector<std::uint64_t> hashes = prefix_hashes(request.message.tokens);
  const Router::Choice choice = router_.pick(hashes);
  span.set({{"kv.matched_blocks", choice.matched_blocks},
            {"kv.prompt_blocks", blocks_for(request.message.tokens.size())},
            {"serving.candidates", decode_.size()},
            {"serving.worker", decode_[choice.worker].address}});
  return choice;
}

// Nobody waits for the pass over the prompt: the decode worker gets what comes out of it.  Its span
// moves into the task and stays the parent of what is done there.
void Gateway::start_prefill(const std::shared_ptr<Request>& request) {
  trace::Span routing = tracer().start(request->context, "prefill_routing");
  routing.set({{"serving.candidates", prefill_addresses_.size()},
               {"gen_ai.usage.input_tokens", request->message.tokens.size()}});
  run(prefill(request, std::move(routing)));
}

Task<void> Gateway::prefill(std::shared_ptr<Request> request, trace::Span routing) {
  rpc::CallOptions options = options_of(*request);
  options.timeout = kPrefillMax;
  const trace::Context context = handed_on(request->context.with_span(routing.context()));
  Result<Slice> payload = rpc::Codec<GenerateRequest>::encode(request->message);
  Result<rpc::Reply> reply =
      co_await prefill_->call(context, kPrefillPath, std::move(*payload), options);
  if (!reply) {
    routing.set_status(trace::StatusCode::error, reply.error().message());
    request->generation->end(spanwire::fail(reply.error()));
  }
  routing.end();
  task_done();
}

Task<void> Gateway::decode(std::shared_ptr<Request> request) {
  Result<GenerateAnswer> answer = co_await read_answer(*request);
  finish(*request, std::move(answer));
  task_done();
}

Task<Result<GenerateAnswer>> Gateway::read_answer(Request& request) {
  SPANWIRE_CO_TRY(Slice payload, rpc::Codec<GenerateRequest>::encode(request.message));
  const rpc::CallOptions options = options_of(request);
  const trace::Context context = handed_on(request.context);
  SPANWIRE_CO_TRY(rpc::Stream stream, co_await decode_[request.worker].client->open(
                                          context, kGeneratePath, std::move(payload), options));
  for (;;) {
    SPANWIRE_CO_TRY(const std::optional<Slice> message, co_await stream.read());
    if (!message) break;
    SPANWIRE_CO_TRY(const TextBatch batch, rpc::Codec<TextBatch>::decode(*message));
    request.answer.insert(request.answer.end(), batch.tokens.begin(), batch.tokens.end());
    request.generation->add(batch);
  }
  co_return rpc::Codec<GenerateAnswer>::decode(stream.reply().payload());
}

void Gateway::finish(Request& request, Result<GenerateAnswer> answer) {
  const rpc::StatusCode status = answer ? rpc::StatusCode::ok : rpc::status_of(answer.error());
  if (status == rpc::StatusCode::unavailable) {
    router_.failed(request.worker);
  } else {
    std::vector<Token> text = request.message.tokens;
    text.insert(text.end(), request.answer.begin(), request.answer.end());
    router_.finished(request.worker, prefix_hashes(text));
  }
  request.generation->end(std::move(answer));
}

}  // namespace serving
