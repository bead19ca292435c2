#include "examples/serving/http_server.hpp"

#include <fcntl.h>
#include <httplib.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "examples/serving/chat.hpp"
#include "examples/serving/exchange.hpp"
#include "examples/serving/http_connection.hpp"
#include "examples/serving/process.hpp"
#include "spanwire/admin/metrics_listener.hpp"
#include "spanwire/base/metrics_text.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/trace/carrier.hpp"

namespace serving {
namespace {

namespace journey = spanwire::journey;
namespace trace = spanwire::trace;
using nlohmann::json;

constexpr int kKeepAliveMs = 5'000;  // for a client's next request
constexpr int kRequestsPerConnection = 1000;
constexpr std::size_t kBodyBytesMax = 1u << 20;
constexpr std::size_t kSpareThreads = 32;  // for refusals and health beside running answers
constexpr int kBacklog = 1024;

// The socket of the request that this thread serves: httplib's handlers do not get it.
thread_local int current_socket = -1;

void refuse(httplib::Response& response, int status, std::string_view message,
            std::string_view type) {
  response.status = status;
  if (status == 503) response.set_header("Retry-After", "1");
  response.set_content(error_body(message, type), "application/json");
}

std::string hex(std::uint64_t value) {
  std::string text(16, '0');
  for (std::size_t i = 16; i > 0; --i, value >>= 4) text[i - 1] = "0123456789abcdef"[value & 15];
  return text;
}

std::int64_t now_seconds() {
  const auto since = spanwire::Clock::system().wall().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

}  // namespace

class HttpServer::Impl final : public httplib::Server {
 public:
  Impl(Gateway& gateway, const HttpOptions& options);
  ~Impl() override { end(); }

  spanwire::Result<int> begin();
  void end();

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  // httplib's own loop over one connection, with our stream.
  bool process_and_close_socket(socket_t socket) override;

  void chat(const Request& request, Response& response);
  void answer(const std::shared_ptr<Exchange>& exchange, const Request& request,
              const trace::Context& context, Response& response);
  void answer_whole(Exchange& exchange, Response& response);
  void answer_streamed(const std::shared_ptr<Exchange>& exchange, Response& response);
  bool stream_news(Exchange& exchange, httplib::DataSink& sink, bool first);
  bool finish_stream(Exchange& exchange, httplib::DataSink& sink);
  bool give_up(Exchange& exchange, Exchange::Wake why);
  void health(Response& response);
  void worker_metrics(const Request& request, Response& response);

  Gateway& gateway_;
  const HttpOptions options_;
  spanwire::Semaphore places_;
  const int stop_;  // readable once this server is to stop
  std::atomic<std::uint64_t> served_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> vanished_{0};
  std::atomic<bool> ended_{false};  // the thread accepts no more
  std::thread thread_;
};

HttpServer::Impl::Impl(Gateway& gateway, const HttpOptions& options)
    : gateway_(gateway),
      options_(options),
      places_(options.requests_max),
      stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  new_task_queue = [this] {
    return new httplib::ThreadPool(options_.requests_max + kSpareThreads);
  };
  set_payload_max_length(kBodyBytesMax);
  Post("/v1/chat/completions",
       [this](const Request& request, Response& response) { chat(request, response); });
  Get("/v1/models", [](const Request&, Response& response) {
    response.set_content(models_body(now_seconds()), "application/json");
  });
  Get("/metrics", [](const Request& request, Response& response) {
    const auto metrics = spanwire::admin::metrics_answer(request.get_header_value("Accept"));
    response.set_content(metrics.text, std::string(metrics.content_type));
  });
  Get(R"(/metrics/(\d{1,4}))",
      [this](const Request& request, Response& response) { worker_metrics(request, response); });
  Get("/health", [this](const Request&, Response& response) { health(response); });
  set_error_handler([](const Request& request, Response& response) {
    if (!response.body.empty()) return;
    std::string what = "the request is not valid HTTP";
    if (response.status == 404) what = request.method + " " + request.path + " is not served here";
    if (response.status == 413) what = "the body is too large, or is not sent as application/json";
    refuse(response, response.status, what, "invalid_request_error");
  });
  set_exception_handler([](const Request&, Response& response, std::exception_ptr) {
    refuse(response, 500, "the server failed", "server_error");
  });
}

spanwire::Result<int> HttpServer::Impl::begin() {
  int listening = -1;
  set_socket_options([&listening](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    ::fcntl(socket, F_SETFD, FD_CLOEXEC);
    listening = socket;
  });
  const int port = options_.port == 0                           ? bind_to_any_port(options_.host)
                   : bind_to_port(options_.host, options_.port) ? options_.port
                                                                : -1;
  if (port < 0) {
    return spanwire::fail(spanwire::Errc::listen_failed,
                          options_.host + ":" + std::to_string(options_.port));
  }
  // httplib's own is 5: two hundred clients at once would be turned away by the system.
  ::listen(listening, kBacklog);
  thread_ = std::thread([this] {
    listen_after_bind();
    ended_ = true;
  });
  return port;
}

void HttpServer::Impl::end() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  if (::write(stop_, &one, sizeof one) < 0) {
    // It has been said already.
  }
  while (!is_running() && !ended_) std::this_thread::yield();  // stop() before that is lost
  httplib::Server::stop();
  thread_.join();
  ::close(stop_);
}

bool HttpServer::Impl::process_and_close_socket(socket_t socket) {
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  current_socket = socket;
  HttpConnection connection(socket);
  bool closed = false;
  for (int left = kRequestsPerConnection; left > 0 && !closed; --left) {
    std::array<pollfd, 2> sources = {{{socket, POLLIN, 0}, {stop_, POLLIN, 0}}};
    if (::poll(sources.data(), sources.size(), kKeepAliveMs) <= 0) break;
    if (sources[0].revents == 0) break;
    if (!process_request(connection, left == 1, closed, nullptr)) break;
  }
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
  return true;
}

void HttpServer::Impl::chat(const Request& request, Response& response) {
  const trace::Extracted extracted = trace::extract(request.headers);
  const trace::Context caller = extracted.context();
  trace::Span span = tracer().start(caller, "POST /v1/chat/completions", trace::SpanKind::server);
  span.set({{"http.request.method", request.method},
            {"http.route", "/v1/chat/completions"},
            {"client.address", request.remote_addr},
            {"client.port", request.remote_port}});
  const trace::Context context = caller.with_span(span.context());
  response.set_header("traceresponse", span.context().to_string());
  std::optional<spanwire::Permit> place = places_.try_acquire();
  if (!place) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    span.set({{"http.response.status_code", 503}, {"request.outcome", "rejected"}});
    span.set_status(trace::StatusCode::error, "too many requests at once");
    return refuse(response, 503,
                  "all " + std::to_string(options_.requests_max) + " places are taken",
                  "overloaded_error");
  }
  answer(std::make_shared<Exchange>(std::move(span), std::move(*place)), request, context,
         response);
}

void HttpServer::Impl::answer(const std::shared_ptr<Exchange>& exchange, const Request& request,
                              const trace::Context& context, Response& response) {
  const std::uint64_t random = spanwire::Random::of_thread().next();
  const spanwire::Result<ChatRequest> chat = parse_chat(request.body, random);
  if (!chat) {
    exchange->answered(400, "invalid");
    return refuse(response, 400, chat.error().detail(), "invalid_request_error");
  }
  const std::string id = hex(random);
  exchange->begin(context, id, {"chatcmpl-" + id, now_seconds()}, chat->include_usage);
  const spanwire::Clock& clock = spanwire::Clock::system();
  journey::RequestStages& stages = exchange->stages();
  stages.enter(journey::Stage::tokenize, clock.monotonic());
  std::vector<Token> prompt = prompt_of(gateway_.model().vocabulary(), *chat);
  const std::size_t prompt_tokens = prompt.size();
  const std::array attributes = {trace::Attribute{"gen_ai.usage.input_tokens", prompt_tokens},
                                 trace::Attribute{"serving.messages", chat->messages.size()}};
  stages.enter(journey::Stage::api_server_dispatch, clock.monotonic(), attributes);
  exchange->generates(prompt_tokens,
                      gateway_.start(exchange->hand_over(), id, std::move(prompt), *chat));
  stages.leave(clock.monotonic());
  // Before the first news the status is still open: a worker's refusal becomes the client's.
  if (const Exchange::Wake wake = exchange->wait(current_socket, stop_);
      wake != Exchange::Wake::news) {
    give_up(*exchange, wake);
    return refuse(response, 503, "the server stops", "overloaded_error");
  }
  if (exchange->news().end && !*exchange->news().end) {
    const spanwire::Error& error = exchange->news().end->error();
    const HttpFailure failure = http_failure(error);
    exchange->answered(failure.status, "error");
    return refuse(response, failure.status, error.detail(), failure.type);
  }
  if (chat->stream) {
    answer_streamed(exchange, response);
  } else {
    answer_whole(*exchange, response);
  }
}

// False, for returning.
bool HttpServer::Impl::give_up(Exchange& exchange, Exchange::Wake why) {
  if (why == Exchange::Wake::client_gone) {
    vanished_.fetch_add(1, std::memory_order_relaxed);
    exchange.span().add_event("client vanished");
    exchange.answered(kClientGone, "cancelled");
  } else {
    exchange.answered(503, "unavailable");
  }
  return false;
}

void HttpServer::Impl::answer_whole(Exchange& exchange, Response& response) {
  std::string text;
  for (;;) {
    text += exchange.take_text();
    if (exchange.news().end) break;
    const Exchange::Wake wake = exchange.wait(current_socket, stop_);
    if (wake == Exchange::Wake::news) continue;
    give_up(exchange, wake);
    return refuse(response, 503, "the server stops", "overloaded_error");
  }
  const spanwire::Result<GenerateAnswer>& end = *exchange.news().end;
  if (!end) {
    const HttpFailure failure = http_failure(end.error());
    exchange.answered(failure.status, "error");
    return refuse(response, failure.status, end.error().detail(), failure.type);
  }
  served_.fetch_add(1, std::memory_order_relaxed);
  exchange.answered(200, "success");
  response.set_content(
      completion_body(exchange.head(), text, end->finish_reason, exchange.usage(*end)),
      "application/json");
}

void HttpServer::Impl::answer_streamed(const std::shared_ptr<Exchange>& exchange,
                                       Response& response) {
  response.set_header("Cache-Control", "no-cache");
  response.set_chunked_content_provider(
      "text/event-stream", [this, exchange](std::size_t offset, httplib::DataSink& sink) {
        return stream_news(*exchange, sink, offset == 0);
      });
}

// Called again and again until it ends the sink or returns false.
bool HttpServer::Impl::stream_news(Exchange& exchange, httplib::DataSink& sink, bool first) {
  std::string events;
  if (first) {
    events = role_event(exchange.head());
  } else if (const Exchange::Wake wake = exchange.wait(current_socket, stop_);
             wake != Exchange::Wake::news) {
    return give_up(exchange, wake);
  }
  const std::string text = exchange.take_text();
  if (!text.empty()) events += text_event(exchange.head(), text);
  if (!events.empty() && !sink.write(events.data(), events.size()))
    return give_up(exchange, Exchange::Wake::client_gone);
  return !exchange.news().end || finish_stream(exchange, sink);
}

bool HttpServer::Impl::finish_stream(Exchange& exchange, httplib::DataSink& sink) {
  const spanwire::Result<GenerateAnswer>& end = *exchange.news().end;
  std::string events;
  if (end) {
    served_.fetch_add(1, std::memory_order_relaxed);
    exchange.answered(200, "success");
    events = finish_event(exchange.head(), end->finish_reason);
    if (exchange.include_usage()) events += usage_event(exchange.head(), exchange.usage(*end));
    events += kDoneEvent;
  } else {
    exchange.answered(200, "error");
    exchange.span().set_status(trace::StatusCode::error, end.error().message());
    events = error_event(end.error().detail(), http_failure(end.error()).type);
  }
  if (!sink.write(events.data(), events.size()))
    return give_up(exchange, Exchange::Wake::client_gone);
  sink.done();
  return true;
}

void HttpServer::Impl::health(Response& response) {
  json workers = json::array();
  bool all_well = true;
  for (const Gateway::WorkerState& state : gateway_.workers()) {
    json worker = {{"address", state.address}};
    if (const auto& info = state.info; info) {
      worker.update({{"role", info->role},
                     {"instance", info->instance},
                     {"waiting", info->waiting},
                     {"running", info->running},
                     {"steps", info->steps},
                     {"blocks", info->blocks},
                     {"finished", info->finished},
                     {"blocks_in_use", info->blocks_in_use},
                     {"cancelled", info->cancelled},
                     {"preempted", info->preempted}});
    } else {
      all_well = false;
      worker["error"] = info.error().message();
    }
    workers.push_back(std::move(worker));
  }
  const json body = {{"status", all_well ? "ok" : "degraded"},
                     {"model", kModelName},
                     {"in_flight", options_.requests_max - places_.free()},
                     {"served", served_.load()},
                     {"refused", refused_.load()},
                     {"vanished", vanished_.load()},
                     {"workers", std::move(workers)}};
  response.status = all_well ? 200 : 503;
  response.set_content(body.dump(2) + "\n", "application/json");
}

void HttpServer::Impl::worker_metrics(const Request& request, Response& response) {
  const std::string accept = request.get_header_value("Accept");
  const spanwire::Result<std::string> text =
      gateway_.metrics(std::stoul(request.matches[1].str()), accept);
  if (text) {
    const auto format = spanwire::metrics_format(accept);
    return response.set_content(*text, std::string(spanwire::content_type(format)));
  }
  const bool unknown = text.error().code() == spanwire::Errc::not_found;
  refuse(response, unknown ? 404 : 503, text.error().message(),
         unknown ? "invalid_request_error" : "overloaded_error");
}

HttpServer::HttpServer(Gateway& gateway, const HttpOptions& options)
    : impl_(std::make_unique<Impl>(gateway, options)) {}
HttpServer::~HttpServer() = default;
spanwire::Result<int> HttpServer::start() { return impl_->begin(); }
void HttpServer::stop() { impl_->end(); }

}  // namespace serving
