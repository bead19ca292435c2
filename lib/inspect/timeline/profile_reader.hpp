// Reads a profile in Chrome's JSON format, as torch writes it, event by event.  Internal to
// inspect.
#pragma once

#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

#include "lib/inspect/timeline/collector.hpp"
#include "spanwire/inspect/convert.hpp"

namespace spanwire::inspect {

// Adds the slices of `options.merge` to `sink`.  Its times are shifted by options.merge_offset_ns,
// else by its baseTimeNanoseconds, else taken as microseconds since 1970 where they look like that.
// Fails with file_open_failed, file_read_failed, file_malformed, invalid_argument (no clock).
Result<void> read_profile(const ConvertOptions& options, SliceSink sink, ConvertReport& report);

// Finds the events of a profile, and what stands beside them, without keeping more than one event.
class ProfileScanner {
 public:
  using OnEvent = std::function<void(std::string_view event)>;
  using OnMember = std::function<void(std::string_view key, std::string_view scalar)>;

  // Either may be empty.  Members are those of the outermost object whose value is a number.
  ProfileScanner(OnEvent on_event, OnMember on_member)
      : on_event_(std::move(on_event)), on_member_(std::move(on_member)) {}

  // False when it cannot be a profile: an event beyond kProfileEventBytesMax, or no JSON.
  bool feed(std::string_view text);
  // After the last text: whether there was a list of events.  Its end may be missing, as the format
  // allows.
  bool finish();

 private:
  bool take(char c);
  void take_in_string(char c);
  bool close(char c);
  void end_scalar();

  OnEvent on_event_;
  OnMember on_member_;
  std::string nesting_;   // '{' and '[', the outermost first
  std::string event_;     // the event that is being read
  std::string text_;      // the key or number that is being read, of the outermost object
  std::string key_;       // of the outermost object
  std::size_t list_ = 0;  // nesting inside the list of events; 0 outside of it
  bool in_string_ = false;
  bool escaped_ = false;
  bool capturing_ = false;  // an event
  bool expects_value_ = false;
  bool seen_list_ = false;
};

}  // namespace spanwire::inspect
