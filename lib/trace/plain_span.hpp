// A usual span: of kind internal, without events, status and tracestate, in the trace of another
// span.  What a scheduler writes most; all of the way into the ring is here, to be compiled into
// one function with the maker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/trace/core.hpp"
#include "lib/trace/direct_writer.hpp"
#include "lib/trace/recording.hpp"
#include "spanwire/trace/recorder.hpp"

namespace spanwire::trace::detail {

// Its parts stay where their maker has just put them, word by word: copies, which compilers make in
// larger pieces, would wait until those words, and all that was stored before them, have left the
// core.
struct PlainSpan {
  const SpanContext& trace;  // any of the trace; its flags are the span's
  SpanId parent;
  SpanId previous;  // of the same trace, linked to; zero: none
  const Key& name;
  const MonotonicTime& start;
  const MonotonicTime& end;  // not before `start`
  const std::span<const Attribute>& attributes;
};

class PlainWriter {
 public:
  // Opens and writes it, with a new `id`.  False, and nothing done, for one that Recorder has to
  // look at.
  [[gnu::always_inline]] static inline bool try_write(const Recorder& recorder,
                                                      const PlainSpan& span, SpanId& id) noexcept {
    Core& core = *recorder.core_;
    ThreadState* const state = state_of_thread;
    if (state == nullptr || state->core != &core ||
        active_core.load(std::memory_order_acquire) != &core) [[unlikely]] {
      return false;
    }
    if (span.attributes.size() >= core.plain_attributes_end()) [[unlikely]]
      return false;
    std::byte* const to = state->ring.reserve(sizeof(RecordHeader) + kDirectBytesMax);
    if (to == nullptr) [[unlikely]]
      return false;
    auto& header = *reinterpret_cast<RecordHeader*>(to);
    const SpanId made = SpanId::generate(state->random);
    write_header(header, span.trace, made, span.parent, *recorder.scope_, ns_of(span.start),
                 ns_of(span.end));
    header.kind = static_cast<std::uint8_t>(SpanKind::internal);
    header.status = static_cast<std::uint8_t>(StatusCode::unset);
    header.attributes = static_cast<std::uint16_t>(span.attributes.size());
    header.events = header.links = 0;
    header.parent_remote = 0;
    std::byte* at = put_parts(header, span, core);
    if (at == nullptr) [[unlikely]]
      return false;
    const auto bytes = static_cast<std::uint32_t>(at - to);
    header.entry_bytes = bytes;
    header.items_bytes = bytes - static_cast<std::uint32_t>(sizeof(RecordHeader));
    core.processor().ensure_started();
    state->at_once.add();
    if (state->ring.publish(to, bytes)) core.processor().hurry();
    id = made;
    return true;
  }

 private:
  static_assert(kPlainAttributesMax * kUsualItem + kOwnLinkItem + sizeof(Item) + kShortNameBytes <=
                kDirectBytesMax);

  // As put_name() and its like.
  [[gnu::always_inline]] static inline std::byte* put_parts(RecordHeader& header,
                                                            const PlainSpan& span,
                                                            const Core& core) noexcept {
    auto* const items = reinterpret_cast<std::byte*>(&header + 1);
    const std::byte* const end = direct_end(items);
    std::byte* at = put_name(items, end, span.name);
    if (at == nullptr) [[unlikely]]
      return nullptr;
    if (!span.previous.is_zero()) [[likely]] {
      header.links = 1;
      write_own_link(at, span.previous);
      at += kOwnLinkItem;
    }
    return put_few_attributes(at, end, span.attributes, core, header.may_repeat);
  }
};

}  // namespace spanwire::trace::detail
