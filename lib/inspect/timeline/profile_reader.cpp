#include "lib/inspect/timeline/profile_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "lib/inspect/input_file.hpp"
#include "lib/inspect/json_fields.hpp"
#include "lib/inspect/json_parse.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kNestingMax = 1'024;
// Microseconds: 2001 and later, told from what counts from the start of something.
constexpr double kSince1970Min = 1e15;
constexpr double kTimeMax = 9e15;
constexpr std::array<std::string_view, 2> kLaunches = {"cuda_runtime", "cuda_driver"};
constexpr std::array<std::string_view, 3> kLaunched = {"kernel", "gpu_memcpy", "gpu_memset"};

template <std::size_t Count>
bool contains(const std::array<std::string_view, Count>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// A number or text as it stands in the file.
std::string token(const JsonField& json) {
  if (!json) return "0";
  const std::string_view text = string_or_empty(json);
  return text.empty() ? std::string(simdjson::minify(*json)) : std::string(text);
}

class ProfileEvents {
 public:
  ProfileEvents(const ConvertOptions& options, SliceSink sink, ConvertReport& report,
                std::optional<std::int64_t> offset_ns)
      : options_(options), sink_(sink), report_(report), offset_ns_(offset_ns) {}

  void on_event(std::string_view text) {
    simdjson::dom::element root;
    simdjson::dom::object event;
    if (parse_json(parser_, text, false, root) != simdjson::SUCCESS ||
        root.get(event) != simdjson::SUCCESS) {
      ++report_.merge_skipped;
      return;
    }
    const std::string_view phase = string_or_empty(field(event, "ph"));
    if (phase == "M") {
      name_place(event);
    } else if (phase == "X" || phase == "i" || phase == "I") {
      if (status_) status_ = add_slice(event);
    } else if (phase != "s" && phase != "f" && phase != "t") {
      ++report_.merge_skipped;  // arrows are drawn from the correlation ids
    }
  }

  const Result<void>& status() const noexcept { return status_; }

 private:
  void name_place(simdjson::dom::object event) {
    simdjson::dom::object arguments;
    const JsonField member = field(event, "args");
    if (!member || member->get(arguments) != simdjson::SUCCESS) return;
    const std::string name(string_or_empty(field(arguments, "name")));
    if (name.empty()) return;
    const std::string_view what = string_or_empty(field(event, "name"));
    const std::string pid = token(field(event, "pid"));
    const std::uint32_t process = sink_.places.profile_process(pid);
    if (what == "process_name") {
      sink_.places.process(process).name = name + " (profile, pid " + pid + ')';
    } else if (what == "thread_name") {
      const std::uint32_t thread = sink_.places.profile_thread(process, token(field(event, "tid")));
      if (thread != kNoThread) sink_.places.thread(thread).name = name;
    }
  }

  Result<void> add_slice(simdjson::dom::object event) {
    const JsonField start = field(event, "ts");
    const JsonField length = field(event, "dur");
    const double start_us = start ? double_of(*start) : NAN;
    const double length_us = length ? double_of(*length) : 0;
    if (!(start_us >= 0 && start_us < kTimeMax && length_us >= 0 && length_us < kTimeMax)) {
      ++report_.merge_skipped;
      return {};
    }
    if (!offset_ns_ && start_us < kSince1970Min) {
      return fail(Errc::invalid_argument,
                  options_.merge +
                      ": has no baseTimeNanoseconds, and its times do not count from "
                      "1970: say what to add to them (--merge-offset)");
    }
    SliceHead head;
    head.number = sink_.slices.size() + 1;
    head.start_ns = std::llround(start_us * 1e3) + offset_ns_.value_or(0);
    head.end_ns = head.start_ns + std::llround(length_us * 1e3);
    head.by_time = true;
    if (head.start_ns < 0 || head.end_ns < options_.from_ns || head.start_ns >= options_.to_ns) {
      ++report_.merge_skipped;
      return {};
    }
    head.process = sink_.places.profile_process(token(field(event, "pid")));
    head.thread = sink_.places.profile_thread(head.process, token(field(event, "tid")));
    return store(event, head);
  }

  Result<void> store(simdjson::dom::object event, const SliceHead& head) {
    const std::string_view category = string_or_empty(field(event, "cat"));
    const JsonField member = field(event, "args");
    simdjson::dom::object arguments;
    const bool has_arguments = member && member->get(arguments) == simdjson::SUCCESS;
    body_.clear();
    sink_.writer.profile_body(string_or_empty(field(event, "name")), category,
                              has_arguments ? std::string(simdjson::minify(arguments)) : "", body_);
    encode_slice(head, body_, {}, slice_);
    SPANWIRE_TRY_VOID(sink_.slices.add(Slice{head, {}, {}}.key(), slice_));
    ++report_.merged;
    const auto correlation =
        has_arguments ? integer(field(arguments, "correlation")) : std::nullopt;
    if (!correlation || *correlation <= 0) return {};
    const auto id = static_cast<std::uint64_t>(*correlation);
    if (contains(kLaunches, category)) return sink_.flows.add_launch(head, id);
    if (contains(kLaunched, category)) return sink_.flows.add_launched(head, id);
    return {};
  }

  const ConvertOptions& options_;
  SliceSink sink_;
  ConvertReport& report_;
  std::optional<std::int64_t> offset_ns_;
  simdjson::dom::parser parser_;
  Result<void> status_;
  std::string body_;
  std::string slice_;
};

// Feeds the file to the scanner.
Result<void> scan(const std::string& path, ProfileScanner& scanner) {
  SPANWIRE_TRY(InputFile file, InputFile::open(path));
  std::vector<char> block(std::size_t{1} << 18);
  for (std::size_t got = 0; (got = file.read(block.data(), block.size())) != 0;) {
    if (!scanner.feed({block.data(), got})) {
      return fail(Errc::file_malformed, path + ": not a profile in Chrome's JSON format");
    }
  }
  SPANWIRE_TRY_VOID(file.failure());
  if (!file.damage().empty()) return fail(Errc::file_malformed, path + ": " + file.damage());
  if (!scanner.finish()) return fail(Errc::file_malformed, path + ": has no traceEvents");
  return {};
}

}  // namespace

bool ProfileScanner::feed(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [this](char c) { return take(c); });
}

bool ProfileScanner::finish() { return seen_list_ && !capturing_ && !in_string_; }

void ProfileScanner::take_in_string(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    return;
  }
  if (!capturing_ && nesting_.size() == 1 && text_.size() < 64) text_ += c;
}

void ProfileScanner::end_scalar() {
  if (nesting_ == "{" && expects_value_ && on_member_ && !text_.empty()) on_member_(key_, text_);
  text_.clear();
}

bool ProfileScanner::close(char c) {
  if (nesting_.empty() || (c == '}') != (nesting_.back() == '{')) return false;
  end_scalar();
  nesting_.pop_back();
  if (capturing_ && nesting_.size() == list_) {
    capturing_ = false;
    if (on_event_) on_event_(event_);
    event_.clear();
  }
  if (nesting_.size() < list_) list_ = 0;
  return true;
}

bool ProfileScanner::take(char c) {
  if (capturing_) {
    if (event_.size() >= kProfileEventBytesMax) return false;
    event_ += c;
  }
  if (in_string_) {
    take_in_string(c);
    return true;
  }
  switch (c) {
    case '"':
      in_string_ = true;
      text_.clear();
      return !nesting_.empty();
    case '{':
    case '[':
      if (nesting_.size() >= kNestingMax) return false;
      if (list_ != 0 && nesting_.size() == list_ && c == '{') {
        capturing_ = true;
        event_ = c;
      }
      nesting_ += c;
      if (c == '[' && (nesting_ == "[" || (nesting_ == "{[" && key_ == "traceEvents"))) {
        list_ = nesting_.size();
        seen_list_ = true;
      }
      text_.clear();
      return true;
    case '}':
    case ']':
      return close(c);
    case ':':
      if (nesting_ == "{") {
        key_ = std::exchange(text_, {});
        expects_value_ = true;
      }
      return !nesting_.empty();
    case ',':
      end_scalar();
      if (nesting_ == "{") expects_value_ = false;
      return !nesting_.empty();
    default:
      if (c == ' ' || c == '\n' || c == '\r' || c == '\t') return true;
      if (nesting_ == "{" && text_.size() < 64) text_ += c;
      return !nesting_.empty();
  }
}

Result<void> read_profile(const ConvertOptions& options, SliceSink sink, ConvertReport& report) {
  std::optional<std::int64_t> offset = options.merge_offset_ns;
  if (!offset) {
    // The base may stand behind the events, so it is looked for first.
    ProfileScanner scanner({}, [&](std::string_view key, std::string_view value) {
      std::int64_t base = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), base);
      if (key == "baseTimeNanoseconds" && error == std::errc() && base >= 0) offset = base;
    });
    SPANWIRE_TRY_VOID(scan(options.merge, scanner));
  }
  ProfileEvents events(options, sink, report, offset);
  ProfileScanner scanner([&](std::string_view event) { events.on_event(event); }, {});
  SPANWIRE_TRY_VOID(scan(options.merge, scanner));
  SPANWIRE_TRY_VOID(events.status());
  if (report.merged + report.merge_skipped == 0) {
    return fail(Errc::file_malformed, options.merge + ": has no events");
  }
  return {};
}

}  // namespace spanwire::inspect
