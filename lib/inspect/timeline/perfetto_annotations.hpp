// What Perfetto shows beside a slice or an instant: names and values, the names interned.  Internal
// to inspect.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/otlp/protobuf_buffer.hpp"
#include "lib/otlp/protobuf_cursor.hpp"
#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

// Texts that are written once.  Bounded: what comes later is written where it is used.
class InternTable {
 public:
  // 0 when there is no room, or no gain.
  std::uint64_t iid(std::string_view text) {
    if (const auto known = index_.find(text); known != index_.end()) return known->second;
    if (index_.size() >= kEntriesMax || text.size() > kTextMax) return 0;
    const std::uint64_t iid = index_.size() + 1;
    in_order_.push_back(&index_.emplace(std::string(text), iid).first->first);
    return iid;
  }
  // As entries of InternedData.
  void write(otlp::ProtobufWriter& data, unsigned field) const {
    for (std::size_t i = 0; i < in_order_.size(); ++i) {
      otlp::ProtobufWriter entry(data, field);
      entry.add_uint64(1, i + 1);
      entry.add_string(2, *in_order_[i]);
    }
  }

 private:
  static constexpr std::size_t kEntriesMax = 16'384;
  static constexpr std::size_t kTextMax = 256;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  std::unordered_map<std::string, std::uint64_t, Hash, std::equal_to<>> index_;
  std::vector<const std::string*> in_order_;
};

// Writes fields of a TrackEvent (perfetto/trace/track_event/debug_annotation.proto) to the end of
// the buffer, whatever message is open there.
class PerfettoAnnotations {
 public:
  explicit PerfettoAnnotations(otlp::ProtobufBuffer& out) noexcept : out_(out) {}

  void text(std::string_view key, std::string_view text);
  void flag(std::string_view key);
  void number(std::string_view key, std::int64_t number);
  void value(std::string_view key, const Value& value);
  // Their number, and the first kLinksShownMax of them.
  void links(const std::vector<SpanLink>& links);
  // What is nested too deep (kValueDepthMax) is written as text.
  void json(std::string_view key, simdjson::dom::element json);

  // As entries of InternedData.
  void write_names(otlp::ProtobufWriter& data, unsigned field) const { names_.write(data, field); }

 private:
  // How a name is written: as its number, as itself, or, in an array, not at all.
  struct Key {
    std::uint64_t iid = 0;
    std::string_view text;
    std::size_t bytes = 0;
  };

  Key key_of(std::string_view key);
  static void write(const Key& key, otlp::ProtobufCursor& out) noexcept;
  template <typename Content>
  void item(unsigned field, const Key& key, std::size_t bytes, const Content& content);
  template <typename Items>
  void list(unsigned field, const Key& key, const Items& items);
  void add_text(unsigned field, const Key& key, std::string_view text);
  void add_flag(unsigned field, const Key& key, bool flag);
  void add_number(unsigned field, const Key& key, std::int64_t number);
  void add_real(unsigned field, const Key& key, double real);
  void add_value(unsigned field, const Key& key, const Value& value);
  void add_json(unsigned field, const Key& key, simdjson::dom::element json, std::size_t depth);

  otlp::ProtobufBuffer& out_;
  InternTable names_;
};

}  // namespace spanwire::inspect
