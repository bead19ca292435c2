#include "spanwire/inspect/convert.hpp"

#include "lib/inspect/timeline/collector.hpp"
#include "lib/inspect/timeline/flows.hpp"
#include "lib/inspect/timeline/output_file.hpp"
#include "lib/inspect/timeline/places.hpp"
#include "lib/inspect/timeline/profile_reader.hpp"
#include "lib/inspect/timeline/sweep.hpp"
#include "lib/inspect/timeline/writer.hpp"
#include "spanwire/inspect/text.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::size_t kCountersMax = 31;
constexpr std::size_t kMemoryMin = std::size_t{4} << 20;
constexpr std::uint64_t kProgressSpans = 65'536;

Result<void> check(const ConvertOptions& options) {
  if (options.files.empty() || options.output.empty()) {
    return fail(Errc::invalid_argument, "a file to read and one to write are needed");
  }
  if (options.counters.size() > kCountersMax) {
    return fail(Errc::invalid_argument, "more than 31 counters");
  }
  if (options.memory_bytes < kMemoryMin) {
    return fail(Errc::invalid_argument, "less than 4 MiB of memory");
  }
  if (options.trace.size() > trace::TraceId::kHexChars ||
      options.trace.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    return fail(Errc::invalid_argument, "not a trace id: '" + options.trace + "'");
  }
  if (options.from_ns >= options.to_ns) {
    return fail(Errc::invalid_argument, "the time to start at is not before the time to end at");
  }
  return {};
}

// Everything of one conversion.
class Conversion {
 public:
  explicit Conversion(const ConvertOptions& options)
      : options_(options),
        output_(options.output),
        writer_(options.format == TimelineFormat::chrome ? make_chrome_writer()
                                                         : make_perfetto_writer()),
        slices_(output_.folder(), options.memory_bytes / 2),
        moved_(output_.folder(), options.memory_bytes / 4),  // what was the flows' until then
        flows_(output_.folder(), options.memory_bytes / 2),
        collector_(options, {places_, *writer_, slices_, flows_}, report_) {}

  Result<ConvertReport> run() {
    // Before an hour of reading: whether there is a place to write to.
    SPANWIRE_TRY_VOID(output_.open());
    for (const std::string& file : options_.files) {
      SPANWIRE_TRY_VOID(collector_.read_file(file));
      SPANWIRE_TRY_VOID(collector_.status());
    }
    if (!options_.merge.empty()) {
      SPANWIRE_TRY_VOID(read_profile(options_, {places_, *writer_, slices_, flows_}, report_));
    }
    report_.read = collector_.report();
    SPANWIRE_TRY_VOID(flows_.finish());
    SPANWIRE_TRY_VOID(resolve_flows());
    SPANWIRE_TRY_VOID(slices_.finish());
    if (!report_.clocks.empty()) SPANWIRE_TRY_VOID(sort_anew());
    SPANWIRE_TRY_VOID(write(report_.clocks.empty() ? slices_ : moved_));
    report_.bytes = output_.bytes();
    report_.bytes_on_disk =
        slices_.bytes_on_disk() + moved_.bytes_on_disk() + flows_.bytes_on_disk();
    SPANWIRE_TRY_VOID(output_.commit());
    return std::move(report_);
  }

 private:
  Result<void> resolve_flows() {
    const auto kept = [this](const trace::TraceId& id) { return collector_.kept(id); };
    Clocks clocks;
    SPANWIRE_TRY_VOID(flows_.resolve(kept, places_, clocks, report_));
    if (!options_.clocks_as_recorded) move_clocks(clocks.shifts());
    // What starts first is another one now.
    if (!report_.clocks.empty()) {
      SPANWIRE_TRY_VOID(flows_.resolve(kept, places_, clocks, report_));
    }
    return flows_.start();
  }

  void move_clocks(const std::vector<std::int64_t>& shifts) {
    for (std::uint32_t i = 0; i < shifts.size(); ++i) {
      if (shifts[i] == 0) continue;
      Places::Process& process = places_.process(i);
      report_.clocks.push_back({process.name, shifts[i]});
      process.shift_ns = shifts[i];
      // Whoever looks at the timeline was not there when it was made.
      process.name += shifts[i] < 0 ? ", clock moved by -" : ", clock moved by ";
      process.name += duration_text(shifts[i] < 0 ? -shifts[i] : shifts[i]);
    }
  }

  // Moved against each other, slices start in another order.
  Result<void> sort_anew() {
    SortKey key{};
    std::string_view bytes;
    std::string changed;
    for (;;) {
      SPANWIRE_TRY(const bool more, slices_.next(key, bytes));
      if (!more) return moved_.finish();
      Slice slice = decode_slice(bytes);
      places_.move(slice.head);
      encode_slice(slice.head, slice.body, slice.events, changed);
      SPANWIRE_TRY_VOID(moved_.add(slice.key(), changed));
    }
  }

  Result<void> write(SpillSorter& sorted) {
    Sweep sweep(options_, places_, *writer_, output_.buffer(), report_);
    Flows::Ends ends;
    SortKey key{};
    std::string_view bytes;
    for (std::uint64_t done = 0;; ++done) {
      SPANWIRE_TRY(const bool more, sorted.next(key, bytes));
      if (!more) break;
      SPANWIRE_TRY_VOID(flows_.take(key, ends));
      const Slice slice = decode_slice(bytes);
      if (ends.duplicate) {
        ++report_.duplicates;
      } else if (!collector_.kept(slice.head.trace) && ends.flows.empty()) {
        ++report_.filtered;
      } else {
        sweep.add(slice, ends.flows);
        SPANWIRE_TRY_VOID(output_.flush_if_full());
      }
      if (options_.on_progress && done % kProgressSpans == 0) {
        options_.on_progress({false, output_.bytes(), done, slices_.size()});
      }
    }
    if (report_.slices == 0) {
      return fail(Errc::not_found, nothing_written());
    }
    sweep.finish();
    return {};
  }

  std::string nothing_written() const {
    if (report_.spans != 0) return "no span passes the filters";
    std::string text = "there are no spans";
    if (report_.read.problems.empty()) return text;
    const Problem& first = report_.read.problems.front();
    return text + "; " + first.file + ':' + std::to_string(first.line) + ": " + first.text;
  }

  const ConvertOptions& options_;
  ConvertReport report_;
  OutputFile output_;
  std::unique_ptr<TimelineWriter> writer_;
  Places places_;
  SpillSorter slices_;
  SpillSorter moved_;
  Flows flows_;
  Collector collector_;
};

}  // namespace

Result<ConvertReport> convert(const ConvertOptions& options) {
  SPANWIRE_TRY_VOID(check(options));
  return Conversion(options).run();
}

}  // namespace spanwire::inspect
