#include "tools/receive/forwarder.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "lib/otlp/endpoint.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "lib/otlp/request_parts.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

constexpr unsigned kGrpcPort = 4317;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

// All but where to and in which protocol: the address says that.
otlp::OtlpOptions options_of(const otlp::Environment& environment) {
  const otlp::Environment rest = [&](std::string_view name) -> std::optional<std::string> {
    const bool address = name.ends_with("_ENDPOINT") || name.ends_with("_PROTOCOL");
    return address ? std::nullopt : environment(name);
  };
  std::vector<std::string> warnings;
  otlp::EnvironmentReader reader(rest, warnings);
  otlp::OtlpOptions options = otlp::read_otlp(reader).options;
  for (const std::string& warning : warnings) complain(warning);
  return options;
}

}  // namespace

Result<otlp::OtlpOptions> forward_options(std::string_view url,
                                          const otlp::Environment& environment) {
  otlp::OtlpOptions options = options_of(environment);
  // Who is away for a while loses nothing: the queue's bound asks the senders to keep theirs.
  options.retry.attempts_max = std::numeric_limits<unsigned>::max();
  std::string whole(url);
  const bool named_grpc = whole.starts_with("grpc://") || whole.starts_with("grpcs://");
  if (named_grpc) whole.replace(0, std::string_view("grpc").size(), "http");
  const bool bare = whole.find("://") == std::string::npos && !whole.starts_with("unix:");
  if (bare) whole.insert(0, "http://");
  SPANWIRE_TRY(const otlp::Endpoint endpoint,
               otlp::parse_endpoint(whole, otlp::Protocol::http_protobuf));
  if (named_grpc || endpoint.port == kGrpcPort) {
    options.protocol = otlp::Protocol::grpc;
  } else if (whole.find(otlp::kTracesPath) == std::string::npos) {
    whole = otlp::with_traces_path(whole);
  }
  options.endpoint = std::move(whole);
  SPANWIRE_TRY_VOID(otlp::check(options));
  return options;
}

Forwarder::Forwarder(otlp::OtlpOptions options, const ForwardBounds& bounds)
    : options_(std::move(options)),
      bounds_(bounds),
      shown_(otlp::shown_endpoint(options_).value_or(std::string())),
      sender_(options_,
              {"spanwire-receive/" SPANWIRE_VERSION,
               options_.timeout.count() > 0 ? options_.timeout : std::chrono::nanoseconds::max(),
               [this](const Error& why) { note(why); }}) {
  thread_ = std::thread([this] { run(); });
}

Forwarder::~Forwarder() { stop(); }

bool Forwarder::full() const {
  const std::scoped_lock lock(mutex_);
  return bytes_ >= bounds_.waiting_bytes_max;
}

void Forwarder::push(std::string_view body, BodyFormat format, std::size_t spans) {
  const std::scoped_lock lock(mutex_);
  items_.push_back({std::string(body), format, spans});
  bytes_ += body.size();
  taken_ += spans;
  changed_.notify_one();
}

// False when there is nothing and nothing comes any more.
bool Forwarder::next(Item& item) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !items_.empty(); });
  if (items_.empty() || now() >= give_up_) return false;
  item = std::move(items_.front());
  items_.pop_front();
  bytes_ -= item.body.size();
  return true;
}

void Forwarder::run() {
  Item item;
  while (next(item)) {
    const otlp::Outcome outcome = send(item);
    if (outcome.error != Error()) note(outcome.error);
    const std::scoped_lock lock(mutex_);
    delivered_ += outcome.delivered;
    if (outcome.error != Error()) last_loss_ = outcome.error.message();
  }
}

otlp::Outcome Forwarder::send(const Item& item) {
  ByteView request = bytes_of(item.body);
  Buffer converted;
  if (item.format == BodyFormat::json) {
    const Result<std::size_t> spans = otlp::json_to_protobuf(item.body, converted);
    if (!spans) return {0, spans.error(), trace::LossReason::export_failed};
    request = converted.view();
  }
  Result<otlp::RequestParts> parts = otlp::RequestParts::read(request);
  if (!parts) return {0, parts.error(), trace::LossReason::export_failed};
  // The haste of the end is for all that is left.
  return sender_.deliver(*parts, {MonotonicTime::min(), MonotonicTime::max()});
}

void Forwarder::note(const Error& why) {
  const std::string text = why.message();
  const std::scoped_lock lock(mutex_);
  if (std::exchange(last_note_, text) != text) complain("--to " + shown_ + ": " + text);
}

void Forwarder::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    give_up_ = now() + bounds_.at_end;
    sender_.hasten(give_up_);
    changed_.notify_one();
  }
  thread_.join();
}

std::string Forwarder::summary() const {
  const std::scoped_lock lock(mutex_);
  std::string text = "forwarded " + std::to_string(delivered_) + " of " + std::to_string(taken_) +
                     " spans to " + shown_;
  if (delivered_ >= taken_) return text;
  text += "; lost: " + std::to_string(taken_ - delivered_);
  return text + (last_loss_.empty() ? ", the time was up" : ", the last by " + last_loss_);
}

bool Forwarder::all_delivered() const {
  const std::scoped_lock lock(mutex_);
  return delivered_ >= taken_;
}

}  // namespace spanwire::tools
