// spanwire convert: traces as a timeline for Perfetto or for what reads Chrome's format.
#include "spanwire/inspect/convert.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "spanwire/inspect/text.hpp"
#include "tools/command.hpp"
#include "tools/trace_sources.hpp"

namespace spanwire::tools {
namespace {

constexpr std::size_t kProblemsPrintedMax = 10;

struct Arguments {
  inspect::ConvertOptions options;
  std::vector<std::string> sources;
  std::string format = "perfetto";
  std::string tracks = "thread";
  std::string since;
  std::string until;
  std::string offset;
  std::string memory = "256M";
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// `count` digits from the front.
bool take_digits(std::string_view& text, std::size_t count, int& number) {
  if (text.size() < count) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, number);
  if (error != std::errc() || end != text.data() + count || !is_digit(text.front())) return false;
  text.remove_prefix(count);
  return true;
}

bool take_char(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// ".5" as 500,000,000; nothing as 0.
bool take_fraction(std::string_view& text, std::int64_t& nanoseconds) {
  nanoseconds = 0;
  if (!take_char(text, ".")) return true;
  std::int64_t unit = 100'000'000;
  if (text.empty() || !is_digit(text.front())) return false;
  for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), unit /= 10) {
    nanoseconds += unit * (text.front() - '0');
  }
  return true;
}

// Nanoseconds since 1970, or "2026-11-21 09:56:53.123" in UTC, as the terminal view prints it.
Result<std::int64_t> parse_time(const std::string& given) {
  std::int64_t number = 0;
  const char* const last = given.data() + given.size();
  const auto [end, error] = std::from_chars(given.data(), last, number);
  if (error == std::errc() && end == last && number >= 0) return number;
  std::string_view text = given;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::int64_t fraction = 0;
  const bool date = take_digits(text, 4, year) && take_char(text, "-") &&
                    take_digits(text, 2, month) && take_char(text, "-") &&
                    take_digits(text, 2, day);
  const bool time = date && take_char(text, " T") && take_digits(text, 2, hour) &&
                    take_char(text, ":") && take_digits(text, 2, minute) && take_char(text, ":") &&
                    take_digits(text, 2, second) && take_fraction(text, fraction);
  const auto calendar = std::chrono::year(year) / month / day;
  if (time && text == "Z") text = {};
  if (!time || !text.empty() || !calendar.ok() || year < 1970 || year > 2200 || hour > 23 ||
      minute > 59 || second > 60) {
    return fail(Errc::invalid_argument, "not a time: '" + given + "'");
  }
  const std::int64_t days = std::chrono::sys_days(calendar).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60'000'000'000 +
         second * std::int64_t{1'000'000'000} + fraction;
}

// Nanoseconds, or a duration; either may be negative.
Result<std::int64_t> parse_offset(const std::string& given) {
  std::int64_t number = 0;
  const char* const last = given.data() + given.size();
  const auto [end, error] = std::from_chars(given.data(), last, number);
  if (error == std::errc() && end == last) return number;
  const bool negative = given.starts_with('-');
  SPANWIRE_TRY(const std::chrono::nanoseconds length, parse_duration(given.substr(negative)));
  return negative ? -length.count() : length.count();
}

CLI::Validator check_of(Result<std::int64_t> (*parse)(const std::string&), const char* name) {
  return CLI::Validator(
      [parse](std::string& text) {
        const auto parsed = parse(text);
        return parsed ? std::string() : std::string(parsed.error().detail());
      },
      "", name);
}

// On a terminal only, one line that is written over.
void show_progress(const inspect::ConvertProgress& progress) {
  std::string line = "\r\x1b[K";
  if (progress.reading) {
    line += "reading: " + std::to_string(progress.bytes >> 20) + " MiB, " +
            inspect::counted(progress.spans, "span");
  } else {
    line += "writing: " + std::to_string(progress.spans) + " of " +
            inspect::counted(progress.spans_total, "span");
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void report_problems(const inspect::ReadReport& report) {
  for (std::size_t i = 0; i < report.problems.size() && i < kProblemsPrintedMax; ++i) {
    const inspect::Problem& problem = report.problems[i];
    complain(problem.file + ':' + std::to_string(problem.line) + ": " + problem.text);
  }
  if (report.problem_count > kProblemsPrintedMax) {
    complain("and " + std::to_string(report.problem_count - kProblemsPrintedMax) +
             " more problems");
  }
}

void report_clocks(const inspect::ConvertReport& report) {
  for (const inspect::MovedClock& clock : report.clocks) {
    const bool back = clock.shift_ns < 0;
    complain("the clock of " + clock.process + " does not agree with its callers': moved by " +
             (back ? "-" : "") + inspect::duration_text(back ? -clock.shift_ns : clock.shift_ns) +
             " (--as-recorded: not)");
  }
}

// What was not drawn as it was read; the last is no fault of the input.
void report_losses(const inspect::ConvertReport& report) {
  if (report.duplicates > 0)
    complain(inspect::counted(report.duplicates, "span") + " read twice, written once");
  if (report.without_end > 0) {
    complain(inspect::counted(report.without_end, "span") +
             " without an end, or with one before the start: drawn without length");
  }
  if (report.dangling > 0) {
    complain(inspect::counted(report.dangling, "parent or link", "parents or links") +
             " not in these files: no arrow");
  }
  if (report.merge_skipped > 0) {
    complain(inspect::counted(report.merge_skipped, "event") + " of the profile left out");
  }
  if (report.too_many_open > 0) {
    complain(inspect::counted(report.too_many_open, "span") + " left out: more than " +
             std::to_string(inspect::kOpenSlicesMax) + " at one time");
  }
}

// To standard error where standard output is the timeline.
void report_success(const inspect::ConvertOptions& options, const inspect::ConvertReport& report) {
  const std::string text =
      "wrote " + options.output + ": " + inspect::counted(report.slices, "slice") + ", " +
      inspect::counted(report.flows, "arrow") + ", " + inspect::counted(report.bytes, "byte");
  if (options.output == "-") return complain(text);
  print(text + '\n');
}

// What an earlier run wrote into a folder that is read is none of its traces.
void leave_out(const std::string& output, const std::vector<std::string>& named,
               std::vector<std::string>& files) {
  std::erase_if(files, [&](const std::string& file) {
    std::error_code ignored;
    return std::find(named.begin(), named.end(), file) == named.end() &&
           std::filesystem::equivalent(file, output, ignored);
  });
}

int run(Arguments& arguments) {
  inspect::ConvertOptions& options = arguments.options;
  options.format = arguments.format == "chrome" ? inspect::TimelineFormat::chrome
                                                : inspect::TimelineFormat::perfetto;
  options.track_per_request = arguments.tracks == "request";
  if (options.output.empty()) {
    options.output = arguments.format == "chrome" ? "trace.json" : "trace.pftrace";
  }
  for (const std::string& source : arguments.sources) {
    if (!is_url(source)) continue;
    complain(source + ": not a file or folder; spanwire fetch makes one of a server's traces");
    return kExitUsage;
  }
  Result<std::vector<std::string>> files = files_of(arguments.sources);
  if (!files) {
    complain(files.error().message());
    return kExitFailed;
  }
  options.files = std::move(*files);
  leave_out(options.output, arguments.sources, options.files);
  if (!arguments.since.empty()) options.from_ns = *parse_time(arguments.since);
  if (!arguments.until.empty()) options.to_ns = *parse_time(arguments.until);
  if (!arguments.offset.empty()) options.merge_offset_ns = *parse_offset(arguments.offset);
  options.memory_bytes = *parse_bytes(arguments.memory);
  const bool progress = ::isatty(STDERR_FILENO) == 1;
  if (progress) options.on_progress = show_progress;
  const Result<inspect::ConvertReport> report = inspect::convert(options);
  if (progress) std::fputs("\r\x1b[K", stderr);
  if (!report) {
    complain(report.error().message());
    return report.error().code() == Errc::invalid_argument ? kExitUsage : kExitFailed;
  }
  report_problems(report->read);
  report_clocks(*report);
  report_losses(*report);
  report_success(options, *report);
  const bool whole = report->read.problem_count == 0 && report->too_many_open == 0;
  return whole ? kExitOk : kExitFailed;
}

constexpr const char* kFooter =
    "Examples:\n"
    "  spanwire convert traces/*.jsonl                       trace.pftrace, for ui.perfetto.dev\n"
    "  spanwire convert traces/                              all files in it\n"
    "  spanwire convert otel_trace.json -o engine.pftrace    the collector's file\n"
    "  spanwire convert traces/*.jsonl --request req-17 --tracks request\n"
    "  spanwire convert traces/*.jsonl --to chrome --merge torch.json.gz -o both.json\n"
    "  spanwire convert old.jsonl.gz --since '2026-11-21 09:56:53' -o - > part.pftrace\n"
    "\n"
    "The output is there whole or not at all.  The exit code is 0 when all was read and written, "
    "1\n"
    "when something could not be read (what could be is written) or the output could not be "
    "written\n"
    "(nothing is), 2 when the command line is wrong.";

void add_choices(CLI::App& command, Arguments& arguments) {
  inspect::ConvertOptions& options = arguments.options;
  command.add_option("--trace", options.trace, "Only traces whose id begins so")->type_name("ID");
  command.add_option("--request", options.request, "Only traces of this request id")
      ->type_name("ID");
  command.add_option("--service", options.service, "Only spans of this service")->type_name("NAME");
  command.add_option("--since", arguments.since, "Only spans that end then or later; UTC, or ns")
      ->type_name("TIME")
      ->check(check_of(&parse_time, "time"));
  command.add_option("--until", arguments.until, "Only spans that start before")
      ->type_name("TIME")
      ->check(check_of(&parse_time, "time"));
}

}  // namespace

void add_convert(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  inspect::ConvertOptions& options = arguments->options;
  CLI::App* command = app.add_subcommand("convert", "Make a timeline of traces, for Perfetto");
  command
      ->add_option("SOURCE", arguments->sources,
                   "Files of OTLP JSON, folders of them or of a run; - is\nstandard input")
      ->required();
  command->add_option("--to", arguments->format, "perfetto, or chrome for JSON")
      ->capture_default_str()
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"perfetto", "chrome"}));
  command
      ->add_option("-o,--output", options.output,
                   "Default trace.pftrace or trace.json; - is standard output")
      ->type_name("OUT");
  command->add_option("--tracks", arguments->tracks, "A track for each thread, or for each request")
      ->capture_default_str()
      ->type_name("WHAT")
      ->check(CLI::IsMember({"thread", "request"}));
  add_choices(*command, *arguments);
  command->add_option("--counter", options.counters, "Draw how many spans of this name are open")
      ->capture_default_str()
      ->type_name("NAME");
  command->add_option("--merge", options.merge, "A profile of torch, to be drawn beside")
      ->type_name("PROFILE");
  command
      ->add_option("--merge-offset", arguments->offset,
                   "Added to its times, as 1.5s or in ns; default: its own base")
      ->type_name("TIME")
      ->check(check_of(&parse_offset, "offset"));
  command->add_flag("--as-recorded", options.clocks_as_recorded,
                    "Leave clocks that contradict each other as they are");
  command->add_option("--memory", arguments->memory, "For sorting; what exceeds it goes to disk")
      ->capture_default_str()
      ->type_name("BYTES")
      ->check(bytes_check());
  command->footer(kFooter);
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace spanwire::tools
