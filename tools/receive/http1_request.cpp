#include "tools/receive/http1_request.hpp"

#include <algorithm>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "lib/otlp/http1_text.hpp"

namespace spanwire::tools {
namespace {

using otlp::has_word;
using otlp::number_in;

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kChunkLineBytesMax = 1'024;
constexpr std::size_t kShownMax = 100;  // of a path that is not there

}  // namespace

void Http1Request::break_off(int status, std::string why) {
  failure_ = {status, std::move(why)};
  keeps_alive_ = false;
  state_ = State::over;
}

std::size_t Http1Request::feed(std::string_view bytes) {
  const std::size_t all = bytes.size();
  while (!bytes.empty() && state_ != State::over) {
    const std::size_t taken = state_ == State::head   ? feed_head(bytes)
                              : state_ == State::body ? feed_body(bytes)
                                                      : feed_chunk(bytes);
    bytes.remove_prefix(taken);
  }
  return all - bytes.size();
}

std::size_t Http1Request::feed_head(std::string_view bytes) {
  const std::size_t before = head_.size();
  head_ += bytes;
  // Empty lines before a request are allowed.
  if (before == 0) head_.erase(0, std::min(head_.find_first_not_of("\r\n"), head_.size()));
  const std::size_t dropped = before + bytes.size() - head_.size();
  if (head_.starts_with("\x16\x03")) {
    receiver_.refuse("HTTP: somebody speaks TLS; this port is in clear text");
    // In clear text, which is why the client learns what is wrong.
    break_off(400, "this port is in clear text: http://");
    return bytes.size();
  }
  const std::size_t line_end = head_.find('\n');
  if (line_end != std::string::npos && method_.empty()) {
    if (!read_request_line(std::string_view(head_).substr(0, line_end))) return bytes.size();
  }
  const std::size_t from = before > kHeadEnd.size() ? before - kHeadEnd.size() : 0;
  const std::size_t end = head_.find(kHeadEnd, from);
  if (std::min(end, head_.size()) > kHeadBytesMax) {
    break_off(431, "more than " + std::to_string(kHeadBytesMax) + " bytes of headers");
    return bytes.size();
  }
  if (end == std::string::npos) return bytes.size();
  const std::size_t whole = end + kHeadEnd.size();
  head_.resize(whole);
  read_head();
  return whole - before + dropped;
}

bool Http1Request::read_request_line(std::string_view line) {
  line = stripped(line);
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  const std::string_view version = last == std::string_view::npos ? "" : line.substr(last + 1);
  if (first == last || !version.starts_with("HTTP/")) {
    receiver_.refuse("HTTP: somebody does not speak HTTP");
    break_off(400, "not a request of HTTP");
    return false;
  }
  method_ = line.substr(0, first);
  path_ = line.substr(first + 1, last - first - 1);
  if (method_ == "PRI" || version == "HTTP/2.0") {
    receiver_.refuse("HTTP: somebody speaks HTTP/2, or gRPC, to the port of OTLP over HTTP");
    break_off(505, "this is OTLP over HTTP/1.1; gRPC has another port");
    return false;
  }
  keeps_alive_ = version != "HTTP/1.0";
  return true;
}

void Http1Request::read_head() {
  std::string_view rest = head_;
  rest.remove_prefix(rest.find('\n') + 1);
  while (!stripped(rest.substr(0, rest.find('\n'))).empty()) {
    const std::size_t end = rest.find('\n');
    if (!read_header(rest.substr(0, end))) return;
    rest.remove_prefix(end + 1);
  }
  head_.clear();
  begin_body();
}

bool Http1Request::read_header(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    break_off(400, "a header without its name");
    return false;
  }
  const std::string name = lower_case(line.substr(0, colon));
  const std::string value(stripped(line.substr(colon + 1)));
  if (name == "content-type") content_type_ = lower_case(value);
  if (name == "content-encoding") encoding_ = lower_case(value);
  if (name == "expect") expects_ = lower_case(value) == "100-continue";
  if (name == "connection") {
    if (has_word(value, "close")) keeps_alive_ = false;
    if (has_word(value, "keep-alive")) keeps_alive_ = true;
  }
  if (name == "transfer-encoding") {
    chunked_ = lower_case(value) == "chunked";
    if (!chunked_) break_off(501, "Transfer-Encoding: chunked or none");
  }
  if (name == "content-length") {
    const std::optional<std::uint64_t> length = number_in(value, 10);
    if (!length || length_.value_or(*length) != *length) {
      break_off(400, "not one Content-Length");
    }
    length_ = length;
  }
  return state_ != State::over;
}

void Http1Request::begin_body() {
  if (chunked_ && length_) return break_off(400, "Content-Length beside chunks");
  if (length_.value_or(0) > receiver_.body_bytes_max()) {
    too_large_ = true;
    keeps_alive_ = false;
    state_ = State::over;
  } else if (chunked_) {
    state_ = State::chunk_size;
  } else {
    left_ = length_.value_or(0);
    state_ = left_ != 0 ? State::body : State::over;
  }
}

bool Http1Request::take_expectation() noexcept {
  return state_ != State::head && state_ != State::over && std::exchange(expects_, false);
}

void Http1Request::keep(std::string_view bytes) {
  if (busy_) return;
  if (bytes.size() > receiver_.body_bytes_max() - body_.size()) {
    too_large_ = true;
    keeps_alive_ = false;
    state_ = State::over;
    return;
  }
  busy_ = !receiver_.reserve(bytes.size());
  if (!busy_) body_.append(bytes);
}

std::size_t Http1Request::feed_body(std::string_view bytes) {
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  left_ -= taken;
  if (left_ == 0) state_ = State::over;
  keep(bytes.substr(0, taken));
  return taken;
}

// A line without its end; takes what there is of one that is not whole.
std::optional<std::string> Http1Request::take_line(std::string_view& bytes) {
  const std::size_t end = bytes.find('\n');
  line_ += bytes.substr(0, end);
  if (line_.size() > kChunkLineBytesMax) {
    break_off(400, "a line of chunks that does not end");
    return std::nullopt;
  }
  bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(stripped(std::exchange(line_, {})));
}

std::size_t Http1Request::feed_chunk(std::string_view bytes) {
  const std::size_t all = bytes.size();
  if (state_ == State::chunk && left_ != 0) {
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
    left_ -= taken;
    keep(bytes.substr(0, taken));
    return taken;
  }
  const std::optional<std::string> line = take_line(bytes);
  const std::size_t taken = all - bytes.size();
  if (state_ == State::trailers) {
    trailer_bytes_ += taken;
    if (trailer_bytes_ > kHeadBytesMax) break_off(431, "trailers that do not end");
  }
  if (!line || state_ == State::over) return taken;
  if (state_ == State::chunk_size) {
    begin_chunk(*line);
  } else if (state_ == State::trailers) {
    if (line->empty()) state_ = State::over;
  } else if (line->empty()) {
    state_ = State::chunk_size;
  } else {
    break_off(400, "a chunk that is longer than it says");
  }
  return taken;
}

void Http1Request::begin_chunk(const std::string& line) {
  const std::string_view digits = stripped(std::string_view(line).substr(0, line.find(';')));
  const std::optional<std::uint64_t> size = number_in(digits, 16);
  if (!size) return break_off(400, "not the size of a chunk");
  left_ = *size;
  state_ = *size == 0 ? State::trailers : State::chunk;
}

Http1Answer Http1Request::answer() {
  if (failure_) return refuse_in_words(failure_->status, failure_->why);
  const std::string_view path = std::string_view(path_).substr(0, path_.find('?'));
  if (path != "/v1/traces") {
    receiver_.refuse("HTTP: " + path_.substr(0, kShownMax) +
                     " is not there; traces go to /v1/traces");
    return refuse_in_words(404, "traces go to /v1/traces; metrics and logs are not taken");
  }
  if (method_ != "POST") {
    receiver_.refuse("HTTP: " + method_.substr(0, kShownMax) + " where POST is meant");
    return refuse_in_words(405, "POST it", "Allow: POST\r\n");
  }
  return take();
}

}  // namespace spanwire::tools
