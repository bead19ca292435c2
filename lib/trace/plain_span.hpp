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
  // Opens and writes it; its id.  Zero, and nothing done, for one that Recorder has to look at.
  [[gnu::always_inline]] static inline SpanId try_write(const Recorder& recorder,
                                                        const PlainSpan& span) noexcept {
    Core& core = *recorder.core_;
    ThreadState* const state = state_of_thread;
    if (state == nullptr || state->core != &core ||
        active_core.load(std::memory_order_acquire) != &core) [[unlikely]] {
      return {};
    }
    const SpanLimits& limits = core.limits();
    const std::size_t attributes = span.attributes.size();
    const bool linked = !span.previous.is_zero();
    if (!may_write_directly(limits) || attributes > limits.attributes_max ||
        (linked && limits.links_max == 0)) [[unlikely]] {
      return {};
    }
    std::byte* const to = state->ring.reserve(sizeof(RecordHeader) + kDirectBytesMax);
    if (to == nullptr) [[unlikely]]
      return {};
    const SpanId id = SpanId::generate(state->random);
    auto& header = *reinterpret_cast<RecordHeader*>(to);
    write_header(header, span.trace, id, span.parent, *recorder.scope_, ns_of(span.start),
                 ns_of(span.end));
    header.kind = static_cast<std::uint8_t>(SpanKind::internal);
    header.status = static_cast<std::uint8_t>(StatusCode::unset);
    header.attributes = static_cast<std::uint16_t>(attributes);
    header.events = 0;
    header.links = linked ? 1 : 0;
    header.parent_remote = 0;
    auto* at = reinterpret_cast<std::byte*>(&header + 1);
    const std::byte* const end = direct_end(at);
    at = put_name(at, end, span.name);
    if (at == nullptr) [[unlikely]]
      return {};
    if (linked) [[likely]] {
      write_own_link(at, span.previous);
      at += kOwnLinkItem;
    }
    bool repeats = false;
    at = put_attributes(at, end, span.attributes, limits, repeats);
    if (at == nullptr || !core.enter_queue(1)) [[unlikely]]
      return {};
    header.may_repeat = repeats ? 1 : 0;
    const auto bytes = static_cast<std::uint32_t>(at - to);
    header.entry_bytes = bytes;
    header.items_bytes = bytes - static_cast<std::uint32_t>(sizeof(RecordHeader));
    core.processor().ensure_started();
    state->recorded.add();
    publish_entry(core, *state, to, bytes);
    return id;
  }
};

}  // namespace spanwire::trace::detail
