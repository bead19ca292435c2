#include "lib/otlp/http1_reader.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "lib/base/ascii.hpp"
#include "lib/otlp/environment_reader.hpp"
#include "lib/otlp/http1_text.hpp"
#include "spanwire/base/clock.hpp"

namespace spanwire::otlp {
namespace {

// As much of what came as a sentence should hold.
constexpr std::size_t kShownMax = 40;

std::string shown(std::string_view text) {
  std::string result = "'";
  for (const char c : text.substr(0, kShownMax)) result += c >= ' ' && c < 0x7f ? c : '.';
  return result + '\'';
}

tl::unexpected<Error> malformed(std::string_view what, std::string_view text) {
  return fail(Errc::export_answer_malformed, std::string(what) + ": " + shown(text));
}

tl::unexpected<Error> too_long(std::string_view what, std::size_t bytes_max) {
  return fail(Errc::export_answer_malformed,
              std::string(what) + " longer than " + std::to_string(bytes_max) + " bytes");
}

// Seconds, or a date.
std::optional<std::chrono::seconds> read_retry_after(std::string_view value) {
  // More is no pause but a refusal; and it fits into any clock.
  constexpr std::int64_t kSecondsMax = 365 * 86'400;
  std::int64_t seconds = 0;
  if (const auto number = number_in(value, 10)) {
    seconds = static_cast<std::int64_t>(std::min<std::uint64_t>(*number, kSecondsMax));
  } else {
    const std::time_t date = curl_getdate(std::string(value).c_str(), nullptr);
    if (date == -1) return std::nullopt;
    const auto now = std::chrono::floor<std::chrono::seconds>(Clock::system().wall());
    seconds = std::min<std::int64_t>(date - now.time_since_epoch().count(), kSecondsMax);
  }
  if (seconds <= 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

// Takes the next line, without its end.
std::string_view next_line(std::string_view& text) noexcept {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Where a head ends, behind its empty line; npos while that has not come.  Nothing before `from`
// needs to be looked at again.
std::size_t end_of_head(std::string_view text, std::size_t from) noexcept {
  for (std::size_t at = text.find('\n', from); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    const std::string_view next = text.substr(at + 1);
    if (next.starts_with('\n')) return at + 2;
    if (next.starts_with("\r\n")) return at + 3;
  }
  return std::string_view::npos;
}

}  // namespace

Result<bool> Http1Reader::take(std::string_view bytes) {
  begun_ = begun_ || !bytes.empty();
  while (!bytes.empty() && state_ != State::whole) {
    if (state_ == State::head) {
      SPANWIRE_TRY_VOID(take_head(bytes));
    } else if (state_ == State::body || state_ == State::until_end) {
      SPANWIRE_TRY_VOID(take_body(bytes));
    } else {
      SPANWIRE_TRY_VOID(take_chunked(bytes));
    }
  }
  if (!bytes.empty()) keeps_alive_ = false;
  return state_ == State::whole;
}

Result<void> Http1Reader::end() const {
  if (state_ == State::whole || state_ == State::until_end) return {};
  if (!begun_) return fail(Errc::connection_reset, "closed without an answer");
  return fail(Errc::connection_reset, "closed in the middle of the answer");
}

Result<void> Http1Reader::take_head(std::string_view& bytes) {
  const std::size_t before = head_.size();
  const std::string_view room = bytes.substr(0, kAnswerHeadBytesMax - before);
  head_ += room;
  constexpr std::string_view kFront = "HTTP/1.";
  if (!std::string_view(head_).starts_with(kFront.substr(0, head_.size()))) {
    return malformed("not HTTP/1", head_);
  }
  const std::size_t end = end_of_head(head_, before < 2 ? 0 : before - 2);
  if (end == std::string::npos) {
    bytes.remove_prefix(room.size());
    if (head_.size() == kAnswerHeadBytesMax) return too_long("a head", kAnswerHeadBytesMax);
    return {};
  }
  bytes.remove_prefix(end - before);
  head_.resize(end);
  return read_head();
}

Result<void> Http1Reader::read_head() {
  answer_ = HttpAnswer();
  const std::string head = std::exchange(head_, {});
  std::string_view rest = head;
  SPANWIRE_TRY_VOID(read_status(next_line(rest)));
  for (std::string_view line = next_line(rest); !line.empty(); line = next_line(rest)) {
    SPANWIRE_TRY_VOID(read_field(line));
  }
  return begin_body();
}

Result<void> Http1Reader::read_status(std::string_view line) {
  // HTTP/1.x SP 3 digits, and mostly a reason.
  constexpr std::size_t kStatusAt = 9;
  constexpr std::size_t kDigits = 3;
  const auto status = number_in(line.substr(std::min(kStatusAt, line.size()), kDigits), 10);
  const bool spaced = line.size() >= kStatusAt + kDigits && line[kStatusAt - 1] == ' ' &&
                      (line.size() == kStatusAt + kDigits || line[kStatusAt + kDigits] == ' ');
  if (!spaced || !status || *status < 100) return malformed("not a status line", line);
  answer_.status = static_cast<long>(*status);
  keeps_alive_ = line[kStatusAt - 2] != '0';
  chunked_ = false;
  length_.reset();
  return {};
}

Result<void> Http1Reader::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return malformed("not a header field", line);
  const std::string name = lower_case(line.substr(0, colon));
  const std::string_view value = stripped(line.substr(colon + 1));
  if (name == "content-length") return read_length(value);
  if (name == "content-type") answer_.content_type = lower_case(value);
  if (name == "retry-after") answer_.retry_after = read_retry_after(value);
  if (name == "connection") {
    if (has_word(value, "close")) keeps_alive_ = false;
    if (has_word(value, "keep-alive")) keeps_alive_ = true;
  }
  if (name == "transfer-encoding") {
    chunked_ = lower_case(value) == "chunked";
    if (!chunked_) return malformed("a transfer encoding that is not known", value);
  }
  return {};
}

Result<void> Http1Reader::read_length(std::string_view value) {
  const std::optional<std::uint64_t> length = number_in(value, 10);
  if (!length || length_.value_or(*length) != *length) {
    return malformed("not one Content-Length", value);
  }
  length_ = length;
  return {};
}

Result<void> Http1Reader::begin_body() {
  constexpr long kSwitching = 101;
  constexpr long kFinal = 200;
  constexpr long kNoContent = 204;
  constexpr long kNotModified = 304;
  if (answer_.status == kSwitching) return malformed("nobody asked", "to switch protocols");
  if (answer_.status < kFinal) return {};  // the next head follows
  if (chunked_ && length_) return malformed("chunks", "beside a Content-Length");
  if (length_.value_or(0) > kAnswerBytesMax) return too_long("an answer", kAnswerBytesMax);
  left_ = length_.value_or(0);
  if (answer_.status == kNoContent || answer_.status == kNotModified || length_ == 0) {
    state_ = State::whole;
  } else if (chunked_) {
    state_ = State::chunk_size;
  } else {
    state_ = length_ ? State::body : State::until_end;
    keeps_alive_ = keeps_alive_ && length_;
  }
  return {};
}

Result<void> Http1Reader::keep(std::string_view bytes) {
  if (bytes.size() > kAnswerBytesMax - answer_.body.size()) {
    return too_long("an answer", kAnswerBytesMax);
  }
  answer_.body += bytes;
  return {};
}

Result<void> Http1Reader::take_body(std::string_view& bytes) {
  if (state_ == State::until_end) return keep(std::exchange(bytes, {}));
  const std::string_view here = bytes.substr(0, left_);
  bytes.remove_prefix(here.size());
  left_ -= here.size();
  if (left_ == 0) state_ = State::whole;
  return keep(here);
}

// True when line_ is whole.
Result<bool> Http1Reader::take_line(std::string_view& bytes, std::size_t bytes_max) {
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  if (end > bytes_max - line_.size()) return too_long("a line", bytes_max);
  line_ += bytes.substr(0, end);
  const bool whole = end != bytes.size();
  bytes.remove_prefix(end + (whole ? 1 : 0));
  return whole;
}

Result<void> Http1Reader::take_chunked(std::string_view& bytes) {
  if (state_ == State::chunk && left_ != 0) {
    const std::string_view here = bytes.substr(0, left_);
    bytes.remove_prefix(here.size());
    left_ -= here.size();
    return keep(here);
  }
  const bool trailers = state_ == State::trailers;
  const std::size_t bytes_max =
      trailers ? kAnswerHeadBytesMax - trailer_bytes_ : kChunkLineBytesMax;
  SPANWIRE_TRY(const bool whole, take_line(bytes, bytes_max));
  if (!whole) return {};
  if (trailers) trailer_bytes_ += line_.size();
  const Result<void> read = read_chunk_line();
  line_.clear();
  return read;
}

Result<void> Http1Reader::read_chunk_line() {
  const std::string_view line = stripped(
      std::string_view(line_).substr(0, line_.ends_with('\r') ? line_.size() - 1 : line_.size()));
  if (state_ == State::trailers) {
    if (line.empty()) state_ = State::whole;
  } else if (state_ == State::chunk) {
    if (!line.empty()) return malformed("a chunk that is longer than it says", line);
    state_ = State::chunk_size;
  } else {
    const auto size = number_in(stripped(line.substr(0, line.find(';'))), 16);
    if (!size) return malformed("not the size of a chunk", line);
    left_ = *size;
    state_ = *size == 0 ? State::trailers : State::chunk;
  }
  return {};
}

}  // namespace spanwire::otlp
