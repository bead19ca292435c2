#include "examples/serving/detokenizer.hpp"

#include <array>
#include <utility>

#include "examples/serving/messages.hpp"
#include "examples/serving/process.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/thread_info.hpp"

namespace serving {

namespace journey = spanwire::journey;
namespace rpc = spanwire::rpc;
using spanwire::Result;
using spanwire::Slice;
using spanwire::Task;

namespace {

rpc::RuntimeOptions one_thread() {
  rpc::RuntimeOptions options;
  options.thread_name = "detokenizer";
  return options;
}

// The request as this thread has it, until its last text.
class Part {
 public:
  Part() = default;
  ~Part() { journey_.abort(); }
  Part(const Part&) = delete;
  Part& operator=(const Part&) = delete;

  void begin(std::string_view handed_over) {
    journey::PropagateContext context;
    if (journey::read_text(handed_over, context) != spanwire::Errc::ok) return;
    journey_ = journey::attach_request(context);
  }
  TextBatch text_of(const Vocabulary& vocabulary, TokenBatch tokens) {
    journey_.slice_start("detokenize", journey::kEverything);
    TextBatch batch;
    for (const Token token : tokens.tokens) batch.text += vocabulary.text(token);
    batch.tokens = std::move(tokens.tokens);
    const std::array attributes = {
        spanwire::trace::Attribute{"serving.tokens", batch.tokens.size()}};
    journey_.slice_end("detokenize", {.level = journey::kEverything, .attributes = attributes});
    return batch;
  }

 private:
  journey::Request journey_;
};

}  // namespace

Detokenizer::Detokenizer(std::shared_ptr<const LanguageModel> model)
    : model_(std::move(model)), runtime_(one_thread()), server_(runtime_) {
  server_.handle(kDetokenizePath, [this](rpc::Call& call) { return detokenize(call); });
}

Result<std::string> Detokenizer::start(const std::string& address) {
  SPANWIRE_TRY(std::string served, server_.listen(address));
  SPANWIRE_TRY_VOID(server_.start());
  return served;
}

Task<rpc::Status> Detokenizer::detokenize(rpc::Call& call) {
  journey::set_thread_info("detokenizer");
  Part part;
  for (;;) {
    Result<std::optional<Slice>> message = co_await call.read();
    if (!message) co_return status_of(message.error());
    if (!*message) co_return rpc::Status(rpc::StatusCode::aborted, "no end was said");
    Result<TokenBatch> tokens = rpc::Codec<TokenBatch>::decode(**message);
    if (!tokens) co_return status_of(tokens.error());
    if (!tokens->journey.empty()) part.begin(tokens->journey);
    const std::optional<GenerateAnswer> end = tokens->end;
    if (!tokens->tokens.empty()) {
      const TextBatch text = part.text_of(model_->vocabulary(), std::move(*tokens));
      Result<Slice> payload = rpc::Codec<TextBatch>::encode(text);
      if (!payload) co_return status_of(payload.error());
      const Result<void> written = co_await call.write(std::move(*payload));
      if (!written) co_return status_of(written.error());
    }
    if (!end) continue;
    Result<Slice> reply = rpc::Codec<GenerateAnswer>::encode(*end);
    if (reply) call.reply(std::move(*reply));
    co_return rpc::Status::ok();
  }
}

}  // namespace serving
