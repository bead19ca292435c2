#include "tools/receive/http_receiver.hpp"

#include <httplib.h>

#include <thread>

namespace spanwire::tools {
namespace {

using httplib::Request;
using httplib::Response;

constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::string_view kJson = "application/json";
constexpr std::size_t kThreads = 32;  // connections that are served at one time
constexpr std::size_t kRequestsPerConnection = 10'000;
constexpr int kReadSeconds = 10;      // for a client to send some bytes
constexpr int kKeepAliveSeconds = 2;  // for its next request, while others may wait for a thread

// google.rpc.Code
constexpr int kInvalidArgument = 3;
constexpr int kResourceExhausted = 8;
constexpr int kUnavailable = 14;

std::string media_type(const Request& request) {
  std::string type = request.get_header_value("Content-Type");
  type.resize(std::min(type.find(';'), type.size()));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return type;
}

bool is_known_encoding(const std::string& encoding) {
  return encoding.empty() || encoding == "gzip" || encoding == "deflate" || encoding == "identity";
}

void answer(Response& response, int status, const std::string& body, BodyFormat format) {
  response.status = status;
  const bool json = format == BodyFormat::json;
  response.set_content(body, json ? std::string(kJson) : std::string(kProtobuf));
}

void refuse(Response& response, int status, int code, const std::string& why, BodyFormat format) {
  if (status == 503) response.set_header("Retry-After", "1");
  answer(response, status,
         format == BodyFormat::json ? otlp::rpc_status_json(code, why)
                                    : otlp::rpc_status_protobuf(code, why),
         format);
}

void refuse_in_words(Response& response, int status, const std::string& why) {
  response.status = status;
  response.set_content(why + '\n', "text/plain");
}

// The body as it comes, unpacked, within the bounds.
class Intake {
 public:
  explicit Intake(Receiver& receiver) : receiver_(receiver) {}
  ~Intake() { receiver_.release(body_.size()); }
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  bool add(const char* data, std::size_t size) {
    too_large_ = size > receiver_.body_bytes_max() - body_.size();
    if (too_large_) return false;
    busy_ = !receiver_.reserve(size);
    if (busy_) return false;
    body_.append(data, size);
    return true;
  }
  const std::string& body() const noexcept { return body_; }
  bool too_large() const noexcept { return too_large_; }
  bool busy() const noexcept { return busy_; }

 private:
  Receiver& receiver_;
  std::string body_;
  bool too_large_ = false;
  bool busy_ = false;
};

}  // namespace

class HttpReceiver::Server {
 public:
  explicit Server(Receiver& receiver) : receiver_(receiver) {
    http_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    http_.set_keep_alive_max_count(kRequestsPerConnection);
    http_.set_keep_alive_timeout(kKeepAliveSeconds);
    http_.set_read_timeout(kReadSeconds);
    http_.set_write_timeout(kReadSeconds);
    http_.set_payload_max_length(receiver.body_bytes_max());
    http_.Post("/v1/traces",
               [this](const Request& request, Response& response,
                      const httplib::ContentReader& read) { take(request, response, read); });
    http_.set_error_handler([this](const Request& request, Response& response) {
      if (response.body.empty()) explain(request, response);
    });
  }

  Result<int> start(const std::string& host, int port) {
    const int bound = port == 0                        ? http_.bind_to_any_port(host)
                      : http_.bind_to_port(host, port) ? port
                                                       : -1;
    if (bound < 0) return fail(Errc::listen_failed, host + ':' + std::to_string(port));
    thread_ = std::thread([this] { http_.listen_after_bind(); });
    while (!http_.is_running()) std::this_thread::yield();
    return bound;
  }

  void stop() {
    http_.stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void take(const Request& request, Response& response, const httplib::ContentReader& read);
  void explain(const Request& request, Response& response);

  Receiver& receiver_;
  httplib::Server http_;
  std::thread thread_;
};

void HttpReceiver::Server::take(const Request& request, Response& response,
                                const httplib::ContentReader& read) {
  const std::string type = media_type(request);
  if (type != kProtobuf && type != kJson) {
    receiver_.refuse("HTTP: content type '" + type + "' is neither " + std::string(kProtobuf) +
                     " nor " + std::string(kJson));
    return refuse_in_words(response, 415,
                           "Content-Type: application/x-protobuf or application/json");
  }
  const std::string encoding = request.get_header_value("Content-Encoding");
  if (!is_known_encoding(encoding)) {
    receiver_.refuse("HTTP: content encoding '" + encoding + "' is not gzip");
    return refuse_in_words(response, 415, "Content-Encoding: gzip, deflate or none");
  }
  const BodyFormat format = type == kJson ? BodyFormat::json : BodyFormat::protobuf;
  Intake intake(receiver_);
  const bool whole =
      read([&intake](const char* data, std::size_t size) { return intake.add(data, size); });
  if (intake.busy()) {
    return refuse(response, 503, kUnavailable, "too many requests at one time", format);
  }
  if (intake.too_large() || response.status == 413) {
    return refuse(response, 413, kResourceExhausted,
                  "more than " + std::to_string(receiver_.body_bytes_max()) + " bytes", format);
  }
  // Something that was packed came out as nothing: it was cut off before its first block ended.
  const bool cut_off = !encoding.empty() && intake.body().empty();
  if (!whole || cut_off) {
    return refuse(response, 400, kInvalidArgument,
                  encoding.empty() ? "the body is not whole" : "the body is not " + encoding,
                  format);
  }
  const IntakeAnswer taken = receiver_.take(intake.body(), format);
  switch (taken.kind) {
    case IntakeAnswer::Kind::taken:
      return answer(response, 200,
                    format == BodyFormat::json ? otlp::export_response_json(taken.rejection)
                                               : otlp::export_response_protobuf(taken.rejection),
                    format);
    case IntakeAnswer::Kind::malformed:
      return refuse(response, 400, kInvalidArgument, taken.reason, format);
    case IntakeAnswer::Kind::busy:
      return refuse(response, 503, kUnavailable, taken.reason, format);
  }
}

void HttpReceiver::Server::explain(const Request& request, Response& response) {
  if (request.method == "PRI" || request.version == "HTTP/2.0") {
    receiver_.refuse("HTTP: somebody speaks HTTP/2, or gRPC, to the port of OTLP over HTTP");
    return refuse_in_words(response, 505, "this is OTLP over HTTP/1.1; gRPC has another port");
  }
  if (request.path == "/v1/traces" && response.status == 404) {
    receiver_.refuse("HTTP: " + request.method + " where POST is meant");
    response.set_header("Allow", "POST");
    return refuse_in_words(response, 405, "POST it");
  }
  if (response.status != 404) return;
  receiver_.refuse("HTTP: " + request.path.substr(0, 100) +
                   " is not there; traces go to /v1/traces");
  refuse_in_words(response, 404, "traces go to /v1/traces; metrics and logs are not taken");
}

HttpReceiver::HttpReceiver(Receiver& receiver) : server_(std::make_unique<Server>(receiver)) {}

HttpReceiver::~HttpReceiver() { stop(); }

Result<int> HttpReceiver::start(const std::string& host, int port) {
  return server_->start(host, port);
}

void HttpReceiver::stop() { server_->stop(); }

}  // namespace spanwire::tools
