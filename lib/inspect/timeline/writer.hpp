// A format of timelines.  Internal to inspect.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "lib/inspect/timeline/slice.hpp"
#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

enum class TrackKind : std::uint8_t { process, request, thread, lane, counter };

struct Track {
  TrackKind kind = TrackKind::lane;
  std::uint64_t uuid = 0;    // not 0; unique
  std::uint64_t parent = 0;  // its uuid; 0 for none
  std::uint32_t pid = 0;     // process and thread numbers of this file, unique in it
  std::uint32_t tid = 0;
  std::uint32_t rank = 0;  // among its siblings
  std::string name;
};

// What the reader knows about a span beside itself.
struct SpanNotes {
  std::string_view service;  // empty where the track says it
  std::string_view scope;
};

// Calls come in this order: bodies of all slices, start(), then tracks, slices, instants and
// counters in the order of time, each track before its first use, finish().  Everything goes to the
// end of a text that the caller empties.
class TimelineWriter {
 public:
  virtual ~TimelineWriter() = default;

  // Name and attributes, to be handed to begin() later.
  virtual void span_body(const Span& span, const SpanNotes& notes, std::string& out) = 0;
  // `moved`: its time lay outside its span, and is not what instant() will say.
  virtual void event_body(const SpanEvent& event, bool moved, std::string& out) = 0;
  // Of a profile: `arguments` is a JSON object as text, or empty.
  virtual void profile_body(std::string_view name, std::string_view category,
                            std::string_view arguments, std::string& out) = 0;

  virtual void start(std::int64_t first_ns, std::string& out) = 0;
  virtual void track(const Track& track, std::string& out) = 0;
  virtual void begin(const Track& track, const SliceHead& slice, std::string_view body,
                     std::span<const Flow> flows, std::string& out) = 0;
  virtual void end(const Track& track, std::int64_t time_ns, std::string& out) = 0;
  virtual void instant(const Track& track, std::int64_t time_ns, std::string_view body,
                       std::string& out) = 0;
  virtual void counter(const Track& track, std::int64_t time_ns, std::int64_t value,
                       std::string& out) = 0;
  virtual void finish(std::string& out) = 0;
};

std::unique_ptr<TimelineWriter> make_perfetto_writer();
std::unique_ptr<TimelineWriter> make_chrome_writer();

// The links of a span that are named in its attributes; of more, their number.
inline constexpr std::size_t kLinksShownMax = 64;

}  // namespace spanwire::inspect
