#include <algorithm>
#include <array>
#include <cstring>

#include "lib/journey/vllm_settings.hpp"
#include "spanwire/journey/misuse.hpp"
#include "spanwire/journey/vllm.hpp"

namespace spanwire::journey::detail {
namespace {

constexpr auto kFirstKind = static_cast<unsigned>(Errc::journey_event_out_of_order);
constexpr auto kLastKind = static_cast<unsigned>(Errc::journey_header_invalid);
static_assert(kLastKind - kFirstKind < 32);

// The names of the kinds, in the order of their numbers: "a, b".
class MisuseText {
 public:
  explicit MisuseText(std::uint32_t kinds) noexcept {
    for (unsigned i = 0; i <= kLastKind - kFirstKind; ++i) {
      if ((kinds >> i & 1) != 0) append(spanwire::name(static_cast<Errc>(kFirstKind + i)));
    }
  }
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  void append(std::string_view word) noexcept {
    if (size_ + word.size() + 2 > text_.size()) return;
    if (size_ != 0) {
      std::memcpy(text_.data() + size_, ", ", 2);
      size_ += 2;
    }
    std::memcpy(text_.data() + size_, word.data(), word.size());
    size_ += word.size();
  }

  std::array<char, 512> text_;
  std::size_t size_ = 0;
};

VllmScope scope_of(VllmEvent event) noexcept {
  return span_of(event) == VllmSpan::request ? VllmScope::api : VllmScope::scheduler;
}

}  // namespace

void VllmJourney::begin(trace::Span span, const RequestNumbers& numbers) noexcept {
  span_ = std::move(span);
  numbers_ = numbers;
  if (!span_.recording() && !numbers_.counting()) return;
  watched_.arm();
  open_.arm();
}

Errc VllmJourney::take(const VllmMark& mark,
                       std::span<const trace::Attribute> attributes) noexcept {
  const Errc wrong = order_.next(mark);
  if (open()) {
    span_.add_event(name(mark.event), attributes, mark.at);
  } else {
    export_late(mark, attributes, wrong);
  }
  return wrong == Errc::ok ? Errc::ok : misused(wrong, name(mark.event).view());
}

Errc VllmJourney::take_unlisted(const VllmMark& mark) noexcept {
  const Errc wrong = order_.next(mark);
  return wrong == Errc::ok ? Errc::ok : misused(wrong, name(mark.event).view());
}

Errc VllmJourney::misused(Errc kind, std::string_view what) noexcept {
  misuse_ |= 1u << (static_cast<unsigned>(kind) - kFirstKind);
  if (open()) span_.set_status(trace::StatusCode::error, spanwire::name(kind));
  return count_misuse(kind, what);
}

void VllmJourney::end(MonotonicTime at) noexcept {
  if (!open_.disarm()) return;
  if (misuse_ != 0) span_.set("spanwire.misuse", MisuseText(misuse_).view());
  span_.end(at);
}

void VllmJourney::give_up() noexcept {
  const MonotonicTime now = vllm_now();
  misused(order_.end(), "dropped");
  numbers_.finished(Outcome::abort, now);
  end(now);
}

// The span that it belongs to may have been exported already.
void VllmJourney::export_late(const VllmMark& mark, std::span<const trace::Attribute> attributes,
                              Errc kind) noexcept {
  if (!span_.context().sampled()) return;
  const trace::SpanOptions options{trace::SpanKind::internal, mark.at, attributes, {}};
  trace::Span late = tracer_of(scope_of(mark.event))
                         .start(trace::Context(span_.context()), name(mark.event), options);
  late.set("spanwire.misuse", spanwire::name(kind));
  late.set_status(trace::StatusCode::error, spanwire::name(kind));
  late.end(mark.at);
}

}  // namespace spanwire::journey::detail
