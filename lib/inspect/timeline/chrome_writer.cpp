// Chrome's trace event format: X, i, s, f, C and M, one a line; microseconds since the first slice.
#include <charconv>
#include <cmath>

#include "lib/base/json_number.hpp"
#include "lib/inspect/timeline/writer.hpp"

namespace spanwire::inspect {
namespace {

void append_escaped(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, begin, i - begin);
    begin = i + 1;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  out.append(text, begin);
  out += '"';
}

template <class Number>
void append_number(Number number, std::string& out) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, number);
  out.append(text, end);
}

void append_number(double number, std::string& out) {
  char text[32];
  out.append(text, write_json_number(text, text + sizeof text, number));
}

// Readers keep numbers as doubles: a larger one goes as text.
void append_integer(std::int64_t number, std::string& out) {
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  const bool exact = number <= kExact && number >= -kExact;
  if (!exact) out += '"';
  append_number(number, out);
  if (!exact) out += '"';
}

void append_double(double number, std::string& out) {
  if (std::isfinite(number)) {
    append_number(number, out);
  } else {
    out += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  }
}

// Depth is bounded by the reader (kValueDepthMax).
void append_value(const Value& value, std::string& out) {
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    append_escaped(*text, out);
  } else if (const auto* flag = std::get_if<bool>(&value.data)) {
    out += *flag ? "true" : "false";
  } else if (const auto* number = std::get_if<std::int64_t>(&value.data)) {
    append_integer(*number, out);
  } else if (const auto* real = std::get_if<double>(&value.data)) {
    append_double(*real, out);
  } else if (const auto* array = std::get_if<Value::Array>(&value.data)) {
    char before = '[';
    for (const Value& item : *array) {
      out += std::exchange(before, ',');
      append_value(item, out);
    }
    out += before == '[' ? "[]" : "]";
  } else if (const auto* map = std::get_if<Value::Map>(&value.data)) {
    char before = '{';
    for (const Attribute& item : *map) {
      out += std::exchange(before, ',');
      append_escaped(item.key, out);
      out += ':';
      append_value(item.value, out);
    }
    out += before == '{' ? "{}" : "}";
  } else {
    append_escaped(value.text(), out);
  }
}

// "args":{...}; members one by one, `{` and commas by itself.
class Arguments {
 public:
  explicit Arguments(std::string& out) : out_(out) { out_ += ",\"args\":"; }
  ~Arguments() { out_ += before_ == '{' ? "{}" : "}"; }

  std::string& member(std::string_view key) {
    out_ += std::exchange(before_, ',');
    append_escaped(key, out_);
    out_ += ':';
    return out_;
  }
  void text(std::string_view key, std::string_view value) {
    if (!value.empty()) append_escaped(value, member(key));
  }

 private:
  std::string& out_;
  char before_ = '{';
};

class ChromeWriter final : public TimelineWriter {
 public:
  void span_body(const Span& span, const SpanNotes& notes, std::string& out) override {
    add_name(span.name, out);
    out += ",\"cat\":\"";
    out += name(span.kind);
    out += span.status == SpanStatus::error ? ",error\"" : "\"";
    Arguments arguments(out);
    arguments.text("otel.trace_id", span.trace.hex());
    arguments.text("otel.span_id", span.id.hex());
    if (!span.parent.is_zero()) arguments.text("otel.parent_span_id", span.parent.hex());
    arguments.text("service.name", notes.service);
    arguments.text("otel.scope", notes.scope);
    arguments.text("otel.status_message", span.status_message);
    if (span.backwards) arguments.member("otel.end_before_start") += "true";
    for (const Attribute& item : span.attributes) {
      append_value(item.value, arguments.member(item.key));
    }
    if (span.links.empty()) return;
    append_integer(static_cast<std::int64_t>(span.links.size()), arguments.member("otel.links"));
    std::string& list = arguments.member("otel.linked");
    char before = '[';
    for (std::size_t i = 0; i < span.links.size() && i < kLinksShownMax; ++i) {
      list += std::exchange(before, ',');
      append_escaped(span.links[i].trace.hex().str() + ':' + span.links[i].span.hex().str(), list);
    }
    list += ']';
  }

  void event_body(const SpanEvent& item, bool moved, std::string& out) override {
    add_name(item.name, out);
    Arguments arguments(out);
    if (moved) append_integer(item.time_ns, arguments.member("otel.event_time_unix_nano"));
    for (const Attribute& attribute : item.attributes) {
      append_value(attribute.value, arguments.member(attribute.key));
    }
  }

  void profile_body(std::string_view name, std::string_view category, std::string_view arguments,
                    std::string& out) override {
    add_name(name, out);
    if (!category.empty()) {
      out += ",\"cat\":";
      append_escaped(category, out);
    }
    out += ",\"args\":";
    out += arguments.empty() ? "{}" : arguments;
  }

  void start(std::int64_t first_ns, std::string& out) override {
    base_ns_ = first_ns;
    out += "{\"displayTimeUnit\":\"ns\",\"baseTimeNanoseconds\":";
    append_number(first_ns, out);
    out += ",\"metadata\":{\"source\":\"spanwire\",\"baseTimeNanoseconds\":";
    append_number(first_ns, out);
    out += "},\n\"traceEvents\":[";
  }

  void track(const Track& track, std::string& out) override {
    if (track.kind == TrackKind::counter) return;
    const bool process = track.kind == TrackKind::process || track.kind == TrackKind::request;
    const auto metadata = [&](std::string_view what) {
      open('M', out);
      out += what;
      out += '"';
      add_place(track, out);
    };
    metadata(process ? ",\"name\":\"process_name" : ",\"name\":\"thread_name");
    out += ",\"args\":{\"name\":";
    append_escaped(track.name, out);
    out += "}}";
    metadata(process ? ",\"name\":\"process_sort_index" : ",\"name\":\"thread_sort_index");
    out += ",\"args\":{\"sort_index\":";
    append_number(track.rank, out);
    out += "}}";
  }

  void begin(const Track& track, const SliceHead& slice, std::string_view body,
             std::span<const Flow> flows, std::string& out) override {
    open('X', out);
    out += body;
    add_time(",\"ts\":", slice.start_ns - base_ns_, out);
    add_time(",\"dur\":", slice.end_ns - slice.start_ns, out);
    add_place(track, out);
    out += '}';
    for (const Flow& flow : flows) {
      // Behind its slice: a flow belongs to the slice that is open at its time.
      open(flow.starts ? 's' : 'f', out);
      out += flow.starts ? ",\"name\":\"flow\",\"cat\":\"flow\",\"id\":"
                         : ",\"bp\":\"e\",\"name\":\"flow\",\"cat\":\"flow\",\"id\":";
      append_number(flow.id, out);
      add_time(",\"ts\":", slice.start_ns - base_ns_, out);
      add_place(track, out);
      out += '}';
    }
  }

  void end(const Track&, std::int64_t, std::string&) override {}

  void instant(const Track& track, std::int64_t time_ns, std::string_view body,
               std::string& out) override {
    open('i', out);
    out += ",\"s\":\"t\"";
    out += body;
    add_time(",\"ts\":", time_ns - base_ns_, out);
    add_place(track, out);
    out += '}';
  }

  void counter(const Track& track, std::int64_t time_ns, std::int64_t value,
               std::string& out) override {
    open('C', out);
    add_name(track.name, out);
    add_time(",\"ts\":", time_ns - base_ns_, out);
    add_place(track, out);
    out += ",\"args\":{\"value\":";
    append_number(value, out);
    out += "}}";
  }

  void finish(std::string& out) override { out += "\n]}\n"; }

 private:
  void open(char phase, std::string& out) {
    out += std::exchange(first_, false) ? "\n{\"ph\":\"" : ",\n{\"ph\":\"";
    out += phase;
    out += '"';
  }

  static void add_name(std::string_view text, std::string& out) {
    out += ",\"name\":";
    append_escaped(text.empty() ? "(no name)" : text, out);
  }

  static void add_place(const Track& track, std::string& out) {
    out += ",\"pid\":";
    append_number(track.pid, out);
    out += ",\"tid\":";
    append_number(track.tid, out);
  }

  // Microseconds with three decimals; never negative: the base is the first.
  static void add_time(std::string_view key, std::int64_t nanoseconds, std::string& out) {
    out += key;
    append_number(nanoseconds / 1'000, out);
    const auto rest = static_cast<int>(nanoseconds % 1'000);
    out += '.';
    out += static_cast<char>('0' + rest / 100);
    out += static_cast<char>('0' + rest / 10 % 10);
    out += static_cast<char>('0' + rest % 10);
  }

  std::int64_t base_ns_ = 0;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<TimelineWriter> make_chrome_writer() { return std::make_unique<ChromeWriter>(); }

}  // namespace spanwire::inspect
