#include "tools/receive/forwarder.hpp"

#include <algorithm>
#include <utility>

#include "lib/otlp/backoff.hpp"
#include "lib/otlp/endpoint.hpp"
#include "spanwire/base/random.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

constexpr std::chrono::seconds kAttemptMax{10};

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

}  // namespace

Result<std::unique_ptr<Forwarder>> Forwarder::open(const std::string& url) {
  const std::string whole =
      url.find(otlp::kTracesPath) != std::string::npos ? url : otlp::with_traces_path(url);
  SPANWIRE_TRY(const otlp::Endpoint endpoint,
               otlp::parse_endpoint(whole, otlp::Protocol::http_protobuf));
  if (!endpoint.unix_socket.empty()) {
    return fail(Errc::invalid_argument, "--to " + url + ": no socket of Unix");
  }
  if (endpoint.port == 4317) {
    return fail(
        Errc::invalid_argument,
        "--to " + url + ": 4317 is gRPC's port; forwarding is by OTLP over HTTP, port 4318");
  }
  std::unique_ptr<Forwarder> made(new Forwarder(endpoint.url, endpoint.shown));
  made->thread_ = std::thread([forwarder = made.get()] { forwarder->run(); });
  return made;
}

Forwarder::~Forwarder() { stop(); }

bool Forwarder::full() const {
  const std::scoped_lock lock(mutex_);
  return bytes_ >= kForwardBytesMax;
}

void Forwarder::push(std::string_view body, BodyFormat format) {
  const std::scoped_lock lock(mutex_);
  items_.push_back({std::string(body), format});
  bytes_ += body.size();
  ++taken_;
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
  while (next(item)) send(item);
}

otlp::HttpClient& Forwarder::client_of(BodyFormat format) {
  const std::scoped_lock lock(mutex_);
  std::unique_ptr<otlp::HttpClient>& client = clients_[format];
  if (client == nullptr) {
    otlp::HttpTarget target;
    target.url = url_;
    const bool json = format == BodyFormat::json;
    target.headers.emplace_back("content-type",
                                json ? "application/json" : "application/x-protobuf");
    client = std::make_unique<otlp::HttpClient>(target);
    if (stopping_) client->hasten(give_up_);
  }
  return *client;
}

// Until it is delivered or refused: who is away for a while loses nothing.
void Forwarder::send(const Item& item) {
  otlp::HttpClient& client = client_of(item.format);
  const otlp::RetryOptions retry;
  otlp::Backoff backoff(retry);
  // The haste of the end is for all that is left.
  const MonotonicTime begin = MonotonicTime::min();
  for (;;) {
    const Result<otlp::HttpAnswer> answer =
        client.post(bytes_of(item.body), {begin, now() + kAttemptMax});
    const otlp::Verdict verdict =
        answer ? otlp::judge_http(*answer) : otlp::judge_failure(answer.error());
    if (verdict.kind == otlp::Verdict::Kind::delivered) {
      const std::scoped_lock lock(mutex_);
      ++delivered_;
      rejected_ += verdict.rejected;
      return;
    }
    note(verdict.error.message());
    if (verdict.kind != otlp::Verdict::Kind::again) return;
    const std::chrono::nanoseconds own = backoff.next(Random::of_thread());
    if (!client.pause(verdict.pause.value_or(own), {begin, MonotonicTime::max()})) return;
  }
}

void Forwarder::note(const std::string& why) {
  const std::scoped_lock lock(mutex_);
  if (std::exchange(last_note_, why) != why) complain("--to " + shown_ + ": " + why);
}

void Forwarder::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    give_up_ = now() + kForwardAtEnd;
    for (const auto& [format, client] : clients_) client->hasten(give_up_);
    changed_.notify_one();
  }
  thread_.join();
}

std::string Forwarder::summary() const {
  const std::scoped_lock lock(mutex_);
  std::string text = "forwarded " + std::to_string(delivered_) + " of " + std::to_string(taken_) +
                     " requests to " + shown_;
  if (rejected_ != 0) text += "; " + std::to_string(rejected_) + " spans were refused there";
  return text;
}

bool Forwarder::all_delivered() const {
  const std::scoped_lock lock(mutex_);
  return delivered_ == taken_ && rejected_ == 0;
}

}  // namespace spanwire::tools
