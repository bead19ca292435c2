#include "examples/serving/worker.hpp"

#include <utility>

#include "examples/serving/breakage.hpp"
#include "examples/serving/jobs.hpp"
#include "examples/serving/process.hpp"
#include "spanwire/admin/metrics_listener.hpp"

namespace serving {

namespace rpc = spanwire::rpc;
using spanwire::Errc;
using spanwire::Result;
using spanwire::Slice;
using spanwire::Task;

namespace {

constexpr std::chrono::minutes kTransferMax{2};

// The handler has ended, however it did.
class GivenUp {
 public:
  explicit GivenUp(Answer& answer) noexcept : answer_(answer) {}
  ~GivenUp() { answer_.given_up.store(true); }
  GivenUp(const GivenUp&) = delete;
  GivenUp& operator=(const GivenUp&) = delete;

 private:
  Answer& answer_;
};

}  // namespace

Worker::Worker(rpc::Runtime& runtime, std::shared_ptr<const LanguageModel> model,
               WorkerOptions options)
    : runtime_(runtime),
      options_(std::move(options)),
      detokenizer_(runtime_, options_.detokenizer),
      engine_(std::move(model), options_.engine) {}

void Worker::serve_on(rpc::Server& server) {
  server.handle_typed<Slice, WorkerInfo>(kInfoPath,
                                         [this](Call& /*call*/, Slice /*none*/) { return info(); });
  server.handle(kMetricsPath, [this](Call& call) { return metrics(call); });
  if (options_.role != "decode") {
    server.handle_typed<GenerateRequest, PrefillAnswer>(
        kPrefillPath,
        [this](Call& call, GenerateRequest request) { return prefill(call, std::move(request)); });
  }
  if (options_.role != "prefill") {
    server.handle(kGeneratePath, [this](Call& call) { return generate(call); });
    server.handle(kReceiveStatePath, [this](Call& call) { return receive_state(call); });
  }
}

spanwire::Error Worker::check(const GenerateRequest& request) const {
  if (request.model != engine_.model().fingerprint())
    return {Errc::invalid_argument, "the frontend has another model: start both on one corpus"};
  if (request.tokens.empty()) return {Errc::invalid_argument, "a prompt without tokens"};
  if (!engine_.fits(request.tokens.size() + 1)) {
    return {Errc::invalid_argument,
            "a prompt of " + std::to_string(request.tokens.size()) + " tokens, more than the " +
                std::to_string(options_.engine.scheduler.blocks * kBlockTokens) +
                " that this worker has memory for"};
  }
  return {};
}

// The scheduler's thread writes the tokens, the detokenizer's turns them into the text that is
// passed on here.  A reader that is slow is one to them, too.
Task<rpc::Status> Worker::generate(Call& call) {
  Result<GenerateRequest> request = rpc::Codec<GenerateRequest>::decode(call.payload());
  if (!request) co_return status_of(request.error());
  if (const spanwire::Error wrong = check(*request); wrong.code() != Errc::ok)
    co_return status_of(wrong);
  if (request->tokens_max == 0)
    co_return rpc::Status(rpc::StatusCode::invalid_argument, "0 tokens");
  call.span().set("gen_ai.usage.input_tokens", request->tokens.size());
  const rpc::CallOptions options;
  Result<rpc::Stream> text =
      co_await detokenizer_.open(call.context(), kDetokenizePath, Slice(), options);
  if (!text) co_return status_of(text.error());
  const auto answer = std::make_shared<Answer>();
  answer->text = std::move(*text);
  const GivenUp at_the_end(*answer);
  engine_.submit(std::make_unique<GenerateJob>(*request, call, answer));
  const Result<void> passed_on = co_await pass_on(call, *answer);
  if (passed_on) co_return rpc::Status::ok();
  if (answer->stopped.load())
    co_return rpc::Status(rpc::StatusCode::unavailable, "the engine stops");
  if (call.cancelled()) call.span().add_event("cancelled");
  co_return status_of(passed_on.error());
}

Task<Result<void>> Worker::pass_on(Call& call, Answer& answer) {
  for (;;) {
    SPANWIRE_CO_TRY(std::optional<Slice> text, co_await answer.text.read());
    if (!text) break;
    SPANWIRE_CO_TRY_VOID(co_await call.write(std::move(*text)));
  }
  Slice reply = answer.text.reply().payload();
  SPANWIRE_CO_TRY(const GenerateAnswer end, rpc::Codec<GenerateAnswer>::decode(reply));
  call.span().set({{"gen_ai.usage.output_tokens", end.output_tokens},
                   {"kv.cached_tokens", end.cached_tokens},
                   {"serving.preemptions", end.preemptions},
                   {"serving.steps", end.steps}});
  call.reply(std::move(reply));
  co_return Result<void>();
}

Task<rpc::Status> Worker::receive_state(Call& call) {
  Result<PromptState> state = rpc::Codec<PromptState>::decode(call.payload());
  if (!state) co_return status_of(state.error());
  call.span().set("kv.bytes", state->bytes);
  engine_.deliver(std::move(state->id), std::move(state->opening));
  co_return rpc::Status::ok();
}

Task<Result<PrefillAnswer>> Worker::prefill(Call& call, GenerateRequest request) {
  if (spanwire::Error wrong = check(request); wrong.code() != Errc::ok)
    co_return spanwire::fail(std::move(wrong));
  const auto done = std::make_shared<PrefillOutcomes>(1);
  engine_.submit(std::make_unique<PrefillJob>(request, call, done));
  SPANWIRE_CO_TRY(PrefillOutcome outcome, co_await done->pop());
  if (outcome.how != Finish::prefilled) co_return spanwire::fail(Errc::cancelled);

  PromptState state;
  state.id = request.id;
  state.opening = std::move(outcome.opening);
  state.bytes = request.tokens.size() * kStateBytesPerToken;
  PrefillAnswer answer;
  answer.cached_tokens = outcome.cached;
  answer.state_bytes = state.bytes;
  SPANWIRE_CO_TRY(Slice payload, rpc::Codec<PromptState>::encode(state));
  rpc::CallOptions options;
  options.timeout = kTransferMax;
  const spanwire::trace::Context context = handed_on(call.context());
  SPANWIRE_CO_TRY(const rpc::Reply reply,
                  co_await decode_worker(request.send_state_to)
                      .call(context, kReceiveStatePath, std::move(payload), options));
  static_cast<void>(reply);
  call.span().set({{"kv.bytes", answer.state_bytes}, {"kv.cached_tokens", answer.cached_tokens}});
  co_return answer;
}

Task<rpc::Status> Worker::metrics(Call& call) const {
  call.reply(Slice::of(spanwire::admin::metrics_answer(text_of(call.payload())).text));
  co_return rpc::Status::ok();
}

Task<Result<WorkerInfo>> Worker::info() const {
  const EngineStats& stats = engine_.stats();
  WorkerInfo info;
  info.role = options_.role;
  info.instance = options_.instance;
  info.model = engine_.model().fingerprint();
  info.blocks = options_.engine.scheduler.blocks;
  info.blocks_in_use = stats.blocks_in_use.load();
  info.waiting = stats.waiting.load();
  info.running = stats.running.load();
  info.steps = stats.steps.load();
  info.finished = stats.finished.load();
  info.cancelled = stats.cancelled.load();
  info.preempted = stats.preempted.load();
  co_return info;
}

rpc::Client& Worker::decode_worker(const std::string& address) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<rpc::Client>& client = decode_workers_[address];
  if (client == nullptr) client = std::make_unique<rpc::Client>(runtime_, address);
  return *client;
}

}  // namespace serving
