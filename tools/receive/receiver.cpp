#include "tools/receive/receiver.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "spanwire/inspect/report.hpp"
#include "spanwire/inspect/text.hpp"
#include "spanwire/inspect/tree.hpp"
#include "spanwire/inspect/verify.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

// So many times as long as a page took, no page is written.
constexpr int kPageShare = 10;
// Of a body that is no request, as much is shown.
constexpr std::size_t kQuotedMax = 20;

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

// Line ends in JSON are blanks: inside of a string they are escaped.
void to_one_line(std::string_view text, Buffer& out) {
  out.append(text);
  char* const begin = reinterpret_cast<char*>(out.data());
  for (char* at = begin; at != begin + out.size(); ++at) {
    if (*at == '\n' || *at == '\r') *at = ' ';
  }
}

bool is_empty_object(std::string_view text) {
  std::string packed;
  for (const char c : text.substr(0, 64)) {
    if (c != ' ' && c != '\t') packed += c;
  }
  return packed == "{}" && text.size() <= 64;
}

// Why it cannot be a request, whatever is in it; empty for what may be one.  Nothing at all is the
// reader's to complain of.
std::string not_an_object(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos || text[begin] == '{') return {};
  return "an OTLP request is a JSON object, and this begins with '" +
         inspect::printable(text.substr(begin, kQuotedMax)) + "'";
}

}  // namespace

Receiver::Receiver(const ReceiverOptions& options, TraceFolder* folder, Onward* onward)
    : options_(options),
      folder_(folder),
      onward_(onward),
      live_(options.live,
            [this](const LiveTrace& trace, LiveTraces::Why why) { show(trace, why); }) {}

IntakeAnswer Receiver::take(std::string_view body, BodyFormat format) {
  Buffer line;
  IntakeAnswer answer;
  if (format == BodyFormat::protobuf) {
    const Result<std::size_t> spans = otlp::protobuf_to_json(bytes_of(body), line);
    if (!spans) {
      answer = {IntakeAnswer::Kind::malformed, {}, std::string(spans.error().detail())};
    }
  } else {
    to_one_line(body, line);
    if (std::string why = not_an_object(text_of(line.view())); !why.empty()) {
      answer = {IntakeAnswer::Kind::malformed, {}, std::move(why)};
    }
  }
  const std::scoped_lock lock(mutex_);
  ++requests_;
  if (answer.kind == IntakeAnswer::Kind::malformed) {
    ++malformed_;
    return answer;
  }
  if (onward_ != nullptr && onward_->full()) {
    ++busy_;
    return {IntakeAnswer::Kind::busy, {}, "what is to be forwarded has reached its bound"};
  }
  const std::string_view text = text_of(line.view());
  if (is_empty_object(text)) return answer;
  LiveTraces::Taken taken = live_.take(text, now());
  if (!taken.anything) taken.first_problem = "nothing is in it";
  if (!taken.anything || (taken.spans + taken.left_out == 0 && taken.problems != 0)) {
    ++malformed_;
    return {IntakeAnswer::Kind::malformed, {}, taken.first_problem};
  }
  spans_ += taken.spans;
  rejected_ += taken.left_out;
  if (folder_ != nullptr) folder_->add(text);
  if (onward_ != nullptr && taken.spans != 0) onward_->push(body, format, taken.spans);
  answer.rejection = {taken.left_out, taken.first_problem};
  return answer;
}

bool Receiver::reserve(std::size_t bytes) noexcept {
  if (in_flight_.fetch_add(bytes) + bytes <= kBodiesInFlightMax) return true;
  in_flight_.fetch_sub(bytes);
  const std::scoped_lock lock(mutex_);
  ++busy_;
  return false;
}

void Receiver::release(std::size_t bytes) noexcept { in_flight_.fetch_sub(bytes); }

void Receiver::refuse(const std::string& what) {
  const std::scoped_lock lock(mutex_);
  ++refused_;
  // Parts of it may be the client's own bytes.
  if (std::exchange(last_refusal_, what) != what) complain(inspect::printable(what));
}

void Receiver::show(const LiveTrace& trace, LiveTraces::Why why) {
  const std::vector<inspect::Tree> trees = inspect::build_trees(trace.set);
  page_is_old_ = true;
  if (options_.draw && output_.size() < kUnprintedBytesMax) {
    if (trace.spans_shown != 0) {
      output_ += "once more, with " +
                 inspect::counted(trace.set.spans.size() - trace.spans_shown, "more span") + ":\n";
    }
    for (const inspect::Tree& tree : trees) {
      output_ += inspect::render_tree(trace.set, tree, options_.text);
    }
    if (why == LiveTraces::Why::no_room) output_ += "  shown early: the memory is full\n";
    output_ += '\n';
  } else if (options_.draw) {
    ++undrawn_;
  }
  if (options_.verify) judge(trace.set, trees);
}

void Receiver::judge(const inspect::TraceSet& set, const std::vector<inspect::Tree>& trees) {
  inspect::Evidence evidence;
  evidence.traces = &set;
  evidence.trees = &trees;
  evidence.now_ns = Clock::system().wall().time_since_epoch().count();
  const inspect::Verdict verdict = inspect::verify(evidence, {});
  ++judged_;
  if (verdict.passed(false)) return;
  ++failed_;
  inspect::ReportOptions options;
  options.quiet = true;
  options.colour = options_.text.colour;
  options.source = trees.empty() ? std::string() : trees.front().id.hex().str();
  output_ += inspect::report_text(verdict, options) + '\n';
}

std::string Receiver::settle() {
  const std::scoped_lock lock(mutex_);
  live_.settle(now());
  return std::exchange(output_, {});
}

// Those who send wait for a copy, not for the page.
void Receiver::refresh_page() {
  const MonotonicTime begin = now();
  if (folder_ == nullptr || begin < page_due_) return;
  PageTraces page;
  {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(page_is_old_, false)) return;
    page = page_traces(live_.traces());
  }
  folder_->write_page(page);
  const MonotonicTime end = now();
  page_due_ = end + std::max<std::chrono::nanoseconds>(kPagePause, kPageShare * (end - begin));
}

std::string Receiver::finish() {
  const std::scoped_lock lock(mutex_);
  live_.finish();
  if (folder_ != nullptr && live_.seen() != 0) folder_->write_page(page_traces(live_.traces()));
  return std::exchange(output_, {});
}

std::string Receiver::summary() const {
  const std::scoped_lock lock(mutex_);
  std::string text = inspect::counted(requests_, "request") + ", " +
                     inspect::counted(spans_, "span") + ", " +
                     inspect::counted(live_.seen(), "trace");
  const auto add = [&text](std::size_t count, const char* what, const char* happened) {
    if (count != 0) text += "; " + inspect::counted(count, what) + ' ' + happened;
  };
  add(live_.duplicates(), "span", "came twice");
  add(rejected_, "span", "refused");
  add(malformed_, "request", "not understood");
  add(refused_, "request", "that went astray");
  add(busy_, "request", "sent away for lack of room");
  add(undrawn_, "tree", "not drawn: the terminal was too slow");
  add(live_.dropped(), "trace", "that left memory before the end");
  if (options_.verify) {
    text += "; verify: " + std::to_string(judged_ - failed_) + " of " + std::to_string(judged_) +
            " pass";
  }
  return text;
}

bool Receiver::good() const {
  const std::scoped_lock lock(mutex_);
  const bool written = folder_ == nullptr || folder_->failures() == 0;
  return written && (!options_.verify || (failed_ == 0 && rejected_ == 0 && malformed_ == 0));
}

}  // namespace spanwire::tools
