// SpanRecordView: an ended span as exporters read it.  Stable: exporters outside of this library
// are written against it.  Every view borrows from the batch that was handed to the exporter and
// ends with that call.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "spanwire/base/clock.hpp"
#include "spanwire/trace/detail/record_layout.hpp"

namespace spanwire::trace {

// Numbers as in OTLP.
enum class SpanKind : std::uint8_t {
  internal = 1,
  server = 2,
  client = 3,
  producer = 4,
  consumer = 5
};
enum class StatusCode : std::uint8_t { unset = 0, ok = 1, error = 2 };

// Who made a span: the instrumented library.  Made by tracer(), lives for ever, equal scopes are
// one object.
struct Scope {
  std::string name;
  std::string version;
  std::string schema_url;
};

// The strings of a string array, in order.
class StringArrayView {
 public:
  class Iterator {
   public:
    explicit Iterator(const char* at) noexcept : at_(at) {}
    std::string_view operator*() const noexcept {
      return {at_ + sizeof(std::uint32_t), detail::load_as<std::uint32_t>(at_)};
    }
    Iterator& operator++() noexcept {
      at_ += sizeof(std::uint32_t) + detail::load_as<std::uint32_t>(at_);
      return *this;
    }
    friend bool operator==(Iterator a, Iterator b) noexcept { return a.at_ == b.at_; }

   private:
    const char* at_;
  };
  explicit StringArrayView(std::string_view packed) noexcept : packed_(packed) {}
  Iterator begin() const noexcept { return Iterator(packed_.data()); }
  Iterator end() const noexcept { return Iterator(packed_.data() + packed_.size()); }

 private:
  std::string_view packed_;
};

// One attribute.  Keys are not empty and unique within their span, event or link.  Texts are
// whatever the program gave: not necessarily UTF-8.
class AttributeView {
 public:
  explicit AttributeView(const detail::Item& item) noexcept
      : key_(detail::key_of(item)),
        value_(detail::value_of(item)),
        type_(item.type()),
        literal_key_(item.literal_key()) {}

  std::string_view key() const noexcept { return key_; }
  // A literal, which is UTF-8 for certain.
  bool key_is_literal() const noexcept { return literal_key_; }
  ValueType type() const noexcept { return type_; }
  // Each only for its type.
  std::string_view text() const noexcept { return value_; }
  bool boolean() const noexcept { return value_.front() != 0; }
  std::int64_t int64() const noexcept { return detail::load_as<std::int64_t>(value_.data()); }
  double real() const noexcept { return detail::load_as<double>(value_.data()); }
  StringArrayView strings() const noexcept { return StringArrayView(value_); }
  // Elements of a boolean, int64 or real array.
  std::size_t size() const noexcept {
    return type_ == ValueType::boolean_array ? value_.size() : value_.size() / sizeof(std::int64_t);
  }
  bool boolean_at(std::size_t index) const noexcept { return value_[index] != 0; }
  std::int64_t int64_at(std::size_t index) const noexcept {
    return detail::load_as<std::int64_t>(value_.data() + index * sizeof(std::int64_t));
  }
  double real_at(std::size_t index) const noexcept {
    return detail::load_as<double>(value_.data() + index * sizeof(double));
  }

 private:
  std::string_view key_;
  std::string_view value_;
  ValueType type_;
  bool literal_key_;
};

namespace detail {

class BatchCopy;

// The items with one tag.  View is made from an item, or from that, the end of the items and what
// else it needs to know: the clock's offset, or the header.
template <class View, ItemTag Tag, class More = std::int64_t>
class ItemRange {
 public:
  class Iterator {
   public:
    Iterator(const std::byte* at, const std::byte* end, More more) noexcept
        : at_(at), end_(end), more_(more) {
      skip();
    }
    View operator*() const noexcept {
      if constexpr (std::is_constructible_v<View, const Item&>) {
        return View(*item_at(at_, 0));
      } else {
        return View(*item_at(at_, 0), end_, more_);
      }
    }
    Iterator& operator++() noexcept {
      at_ += room_of(*item_at(at_, 0));
      skip();
      return *this;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.at_ == b.at_; }

   private:
    void skip() noexcept {
      while (at_ != end_ && item_at(at_, 0)->tag != Tag) at_ += room_of(*item_at(at_, 0));
    }
    const std::byte* at_;
    const std::byte* end_;
    More more_;
  };

  ItemRange(const std::byte* begin, const std::byte* end, More more) noexcept
      : begin_(begin), end_(end), more_(more) {}
  Iterator begin() const noexcept { return {begin_, end_, more_}; }
  Iterator end() const noexcept { return {end_, end_, more_}; }

 private:
  const std::byte* begin_;
  const std::byte* end_;
  More more_;
};

// The attributes of an event or a link stand directly behind it.
template <ItemTag Tag>
const std::byte* end_of_attributes(const std::byte* at, const std::byte* end) noexcept {
  while (at != end && item_at(at, 0)->tag == Tag) at += room_of(*item_at(at, 0));
  return at;
}

}  // namespace detail

using AttributeRange = detail::ItemRange<AttributeView, detail::ItemTag::attribute>;

class EventView {
 public:
  using Attributes = detail::ItemRange<AttributeView, detail::ItemTag::event_attribute>;

  EventView(const detail::Item& item, const std::byte* end, std::int64_t wall_offset_ns) noexcept
      : item_(&item),
        head_(detail::load_as<detail::EventHead>(detail::value_of(item).data())),
        end_(end),
        wall_offset_ns_(wall_offset_ns) {}

  std::string_view name() const noexcept { return detail::key_of(*item_); }
  // A literal, which is UTF-8 for certain.
  bool name_is_literal() const noexcept { return item_->literal_key(); }
  WallTime time() const noexcept {
    return WallTime(std::chrono::nanoseconds(head_.time_ns + wall_offset_ns_));
  }
  std::size_t attribute_count() const noexcept { return head_.attributes; }
  std::uint32_t dropped_attributes() const noexcept { return head_.dropped_attributes; }
  Attributes attributes() const noexcept {
    const std::byte* first = detail::bytes_of_item(*item_) + detail::room_of(*item_);
    return {first, detail::end_of_attributes<detail::ItemTag::event_attribute>(first, end_), 0};
  }

 private:
  const detail::Item* item_;
  detail::EventHead head_;
  const std::byte* end_;
  std::int64_t wall_offset_ns_;
};

class LinkView {
 public:
  using Attributes = detail::ItemRange<AttributeView, detail::ItemTag::link_attribute>;

  LinkView(const detail::Item& item, const std::byte* end,
           const detail::RecordHeader* header) noexcept
      : item_(&item), head_(detail::head_of_link(item, *header)), end_(end) {}

  const SpanContext& context() const noexcept { return head_.context; }
  // OTLP's 32 bits: the W3C flags, and whether the linked span is in another process.
  std::uint32_t otlp_flags() const noexcept {
    return (head_.context.flags() & kFlagsKnown) | 0x100u | (head_.context.remote() ? 0x200u : 0u);
  }
  std::string_view tracestate() const noexcept {
    const std::string_view value = detail::value_of(*item_);
    return value.substr(std::min(value.size(), sizeof(detail::LinkHead)));
  }
  std::size_t attribute_count() const noexcept { return head_.attributes; }
  std::uint32_t dropped_attributes() const noexcept { return head_.dropped_attributes; }
  Attributes attributes() const noexcept {
    const std::byte* first = detail::bytes_of_item(*item_) + detail::room_of(*item_);
    return {first, detail::end_of_attributes<detail::ItemTag::link_attribute>(first, end_), 0};
  }

 private:
  const detail::Item* item_;
  detail::LinkHead head_;
  const std::byte* end_;
};

// A value of three words; cheap to copy.
class SpanRecordView {
 public:
  using Events = detail::ItemRange<EventView, detail::ItemTag::event>;
  using Links = detail::ItemRange<LinkView, detail::ItemTag::link, const detail::RecordHeader*>;

  SpanRecordView(const detail::RecordHeader* header, const std::byte* items,
                 std::int64_t wall_offset_ns) noexcept
      : header_(header), items_(items), wall_offset_ns_(wall_offset_ns) {}

  const TraceId& trace_id() const noexcept { return header_->trace_id; }
  const SpanId& span_id() const noexcept { return header_->span_id; }
  // Zero for the root of a trace.
  const SpanId& parent_span_id() const noexcept { return header_->parent_span_id; }
  bool parent_remote() const noexcept { return header_->parent_remote != 0; }
  // W3C trace flags.
  std::uint8_t flags() const noexcept { return header_->flags & kFlagsKnown; }
  // OTLP's 32 bits: the W3C flags, and whether the parent is in another process.
  std::uint32_t otlp_flags() const noexcept {
    return flags() | 0x100u | (parent_remote() ? 0x200u : 0u);
  }
  SpanKind kind() const noexcept { return static_cast<SpanKind>(header_->kind); }
  std::string_view name() const noexcept { return detail::key_of(*item(header_->name_at)); }
  // Never after end().
  WallTime start() const noexcept { return wall(header_->start_ns); }
  WallTime end() const noexcept { return wall(header_->end_ns); }
  std::chrono::nanoseconds duration() const noexcept {
    return std::chrono::nanoseconds(header_->end_ns - header_->start_ns);
  }
  StatusCode status() const noexcept { return static_cast<StatusCode>(header_->status); }
  // Empty unless status() is error.
  std::string_view status_message() const noexcept { return text(header_->status_at); }
  std::string_view tracestate() const noexcept { return text(header_->tracestate_at); }
  const Scope& scope() const noexcept { return *header_->scope; }

  std::size_t attribute_count() const noexcept { return header_->attributes; }
  std::size_t event_count() const noexcept { return header_->events; }
  std::size_t link_count() const noexcept { return header_->links; }
  AttributeRange attributes() const noexcept { return {items_, items_end(), 0}; }
  Events events() const noexcept { return {items_, items_end(), wall_offset_ns_}; }
  Links links() const noexcept { return {items_, items_end(), header_}; }
  // What the span's limits kept out.
  std::uint32_t dropped_attributes() const noexcept { return header_->dropped_attributes; }
  std::uint32_t dropped_events() const noexcept { return header_->dropped_events; }
  std::uint32_t dropped_links() const noexcept { return header_->dropped_links; }

  // Bytes of memory that this record occupies while it waits.
  std::size_t queued_bytes() const noexcept { return header_->entry_bytes; }

 private:
  friend class detail::BatchCopy;
  const detail::Item* item(std::size_t offset) const noexcept {
    return detail::item_at(items_, offset);
  }
  std::string_view text(std::uint32_t offset) const noexcept {
    return offset == detail::kNoItem ? std::string_view() : detail::value_of(*item(offset));
  }
  const std::byte* items_end() const noexcept { return items_ + header_->items_bytes; }
  WallTime wall(std::int64_t monotonic_ns) const noexcept {
    return WallTime(std::chrono::nanoseconds(monotonic_ns + wall_offset_ns_));
  }

  const detail::RecordHeader* header_;
  const std::byte* items_;
  std::int64_t wall_offset_ns_;
};

}  // namespace spanwire::trace
