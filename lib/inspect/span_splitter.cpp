#include "lib/inspect/span_splitter.hpp"

#include <utility>

namespace spanwire::inspect {
namespace {

constexpr std::size_t kDepthMax = 1'024;
constexpr std::size_t kKeyBytesMax = 64;  // names that matter are shorter

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Of numbers, true, false and null; whether they are spelled right is found out where they are
// kept.
bool is_scalar(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' ||
         c == 'E';
}

}  // namespace

SpanSplitter::SpanSplitter(std::size_t piece_bytes, std::size_t span_bytes, OnPiece on_piece,
                           OnProblem on_problem)
    : piece_bytes_(piece_bytes),
      span_bytes_(span_bytes),
      on_piece_(std::move(on_piece)),
      on_problem_(std::move(on_problem)) {}

std::size_t SpanSplitter::feed(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size() && !ended_ && !failed_) {
    if (in_string_) {
      at += take_string(bytes.substr(at));
    } else if (take(bytes[at])) {
      ++at;
    } else {
      failed_ = true;
    }
  }
  return at;
}

void SpanSplitter::keep(std::string_view bytes) {
  if (captured_ == nullptr || too_long_) return;
  if (captured_->size() - capture_begin_ + bytes.size() > span_bytes_) {
    too_long_ = true;
    return;
  }
  captured_->append(bytes);
}

std::size_t SpanSplitter::take_string(std::string_view bytes) {
  std::size_t at = 0;
  for (; at < bytes.size(); ++at) {
    const char c = bytes[at];
    if (std::exchange(escaped_, false)) continue;
    if (c == '\\') escaped_ = true;
    if (c != '"') continue;
    in_string_ = false;
    frames_.back().want = in_key_ ? Want::colon : Want::comma_or_end;
    break;
  }
  const std::string_view taken = bytes.substr(0, at + (at < bytes.size() ? 1 : 0));
  if (in_key_ && key_.size() < kKeyBytesMax) key_.append(bytes.substr(0, at));
  keep(taken);
  return taken.size();
}

// Lists of resources, scopes and spans hold objects; what else is in one is said and left out.
void SpanSplitter::begin_value(char c) {
  Frame& frame = frames_.back();
  frame.want = Want::comma_or_end;
  if (c == '{') return;
  std::string where = "resourceSpans[" + std::to_string(at_.resource) + ']';
  if (frame.role == Role::resources) {
    ++at_.resource;
  } else if (frame.role == Role::scopes) {
    where += ".scopeSpans[" + std::to_string(at_.scope++) + ']';
  } else if (frame.role == Role::spans) {
    where +=
        ".scopeSpans[" + std::to_string(at_.scope) + "].spans[" + std::to_string(at_.span++) + ']';
  } else {
    return;
  }
  on_problem_(where + ": not an object");
}

bool SpanSplitter::take(char c) {
  if (is_scalar(c)) {
    if (frames_.empty()) return false;
    const Want want = frames_.back().want;
    if (!in_scalar_ && want != Want::value && want != Want::value_or_end) return false;
    if (!std::exchange(in_scalar_, true)) begin_value(c);
    keep({&c, 1});
    return true;
  }
  in_scalar_ = false;
  if (is_blank(c)) return true;
  if (c == '{' || c == '[') return open(c);
  if (frames_.empty()) return false;
  if (c == '}' || c == ']') return close(c);
  Frame& frame = frames_.back();
  const bool value = frame.want == Want::value || frame.want == Want::value_or_end;
  if (c == '"') {
    in_key_ = frame.want == Want::key || frame.want == Want::key_or_end;
    if (!in_key_ && !value) return false;
    in_string_ = true;
    if (in_key_) {
      key_.clear();
    } else {
      begin_value(c);
    }
  } else if (c == ':' && frame.want == Want::colon) {
    frame.want = Want::value;
  } else if (c == ',' && frame.want == Want::comma_or_end) {
    frame.want = frame.object ? Want::key : Want::value;
  } else {
    return false;
  }
  keep({&c, 1});
  return true;
}

SpanSplitter::Role SpanSplitter::role_of(char c) const {
  const bool object = c == '{';
  if (frames_.empty()) return object ? Role::traces : Role::list;
  switch (frames_.back().role) {
    case Role::list:
      return object ? Role::traces : Role::other;
    case Role::traces:
      if (object) return key_ == "result" || key_ == "trace" ? Role::traces : Role::other;
      return key_ == "resourceSpans" || key_ == "batches" ? Role::resources : Role::other;
    case Role::resources:
      return object ? Role::resource_spans : Role::other;
    case Role::resource_spans:
      if (object) return key_ == "resource" ? Role::resource : Role::other;
      return key_ == "scopeSpans" || key_ == "instrumentationLibrarySpans" ||
                     key_ == "deprecatedScopeSpans"
                 ? Role::scopes
                 : Role::other;
    case Role::scopes:
      return object ? Role::scope_spans : Role::other;
    case Role::scope_spans:
      if (object) {
        return key_ == "scope" || key_ == "instrumentationLibrary" ? Role::scope : Role::other;
      }
      return key_ == "spans" ? Role::spans : Role::other;
    case Role::spans:
      return object ? Role::span : Role::other;
    default:
      return Role::other;
  }
}

bool SpanSplitter::open(char c) {
  if (frames_.size() == kDepthMax) return false;
  if (!frames_.empty()) {
    const Want want = frames_.back().want;
    if (want != Want::value && want != Want::value_or_end) return false;
  }
  const Role role = role_of(c);
  if (!frames_.empty()) begin_value(c);
  const bool object = c == '{';
  frames_.push_back({role, object, object ? Want::key_or_end : Want::value_or_end});
  if (role == Role::resources) has_resources_ = true;
  if (role == Role::span || role == Role::resource || role == Role::scope) begin_capture(role);
  keep({&c, 1});
  return true;
}

bool SpanSplitter::close(char c) {
  const Frame frame = frames_.back();
  if (frame.object != (c == '}')) return false;
  if (frame.want != Want::comma_or_end &&
      frame.want != (frame.object ? Want::key_or_end : Want::value_or_end)) {
    return false;
  }
  keep({&c, 1});
  frames_.pop_back();
  if (captured_ != nullptr && frames_.size() == capture_depth_) end_capture(frame.role);
  if (frame.role == Role::scope_spans) end_scope();
  if (frame.role == Role::resource_spans) end_resource();
  ended_ = frames_.empty();
  return true;
}

void SpanSplitter::begin_capture(Role role) {
  captured_ = role == Role::span ? &body_ : role == Role::scope ? &scope_ : &resource_;
  if (role == Role::span) {
    if (body_.empty()) first_ = at_;
    if (in_segment_) {
      body_ += ',';
    } else {
      body_ += body_.empty() ? "{\"spans\":[" : ",{\"spans\":[";
      in_segment_ = true;
    }
  } else {
    captured_->clear();
  }
  capture_depth_ = frames_.size() - 1;
  capture_begin_ = captured_->size();
  too_long_ = false;
}

void SpanSplitter::end_capture(Role role) {
  if (too_long_) {
    const char* const what = role == Role::span    ? "a span"
                             : role == Role::scope ? "a scope"
                                                   : "a resource";
    on_problem_(std::string(what) + " that is longer than " + std::to_string(span_bytes_) +
                " bytes");
    captured_->resize(capture_begin_);
    // In a list something has to stand behind the comma.
    if (role == Role::span && body_.back() == ',') body_.pop_back();
  }
  captured_ = nullptr;
  if (role != Role::span) return;
  ++at_.span;
  if (body_.size() >= piece_bytes_) {
    if (resource_.empty()) on_problem_("a resource behind its spans: they are shown without it");
    flush();
  }
}

void SpanSplitter::close_scope_segment() {
  if (!std::exchange(in_segment_, false)) return;
  body_ += "],\"scope\":";
  body_ += scope_.empty() ? "{}" : scope_;
  body_ += '}';
}

void SpanSplitter::end_scope() {
  close_scope_segment();
  scope_.clear();
  ++at_.scope;
  at_.span = 0;
}

void SpanSplitter::end_resource() {
  flush();
  resource_.clear();
  ++at_.resource;
  at_.scope = at_.span = 0;
}

void SpanSplitter::flush() {
  close_scope_segment();
  if (body_.empty()) first_ = at_;
  piece_ = "{\"resourceSpans\":[{\"scopeSpans\":[";
  piece_ += body_;
  piece_ += "],\"resource\":";
  piece_ += resource_.empty() ? "{}" : resource_;
  piece_ += "}]}";
  body_.clear();
  on_piece_(piece_, first_);
}

void SpanSplitter::finish() {
  if (captured_ == &body_) {
    body_.resize(capture_begin_);
    if (body_.back() == ',') body_.pop_back();
    captured_ = nullptr;
  }
  if (!body_.empty()) flush();
}

}  // namespace spanwire::inspect
