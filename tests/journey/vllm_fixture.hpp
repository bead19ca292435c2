// What tests of vLLM's model share: a provider with a clock that stands still, whole journeys.
#pragma once

#include <map>
#include <string>

#include "spanwire/journey/misuse.hpp"
#include "spanwire/journey/vllm.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::journey {

using Carrier = std::map<std::string, std::string>;

class VllmTest : public trace::ProviderTest {
 protected:
  void SetUp() override {
    VllmOptions options;
    options.clock = &clock();
    set_vllm_options(options);
    set_vocabulary(Vocabulary::legacy);
  }
  void TearDown() override {
    set_strict(false);
    set_vllm_options({});
    trace::ProviderTest::TearDown();
  }

  // The next millisecond.
  static MonotonicTime tick() {
    clock().advance(std::chrono::milliseconds(1));
    return clock().monotonic();
  }
  static VllmStep step(std::int64_t number, VllmPhase phase = VllmPhase::waiting,
                       std::int64_t prefill = 0, std::int64_t decode = 0,
                       std::int64_t preemptions = 0) {
    VllmStep step;
    step.step = number;
    step.progress = {phase, prefill, 12, decode, 40, preemptions};
    step.at = tick();
    return step;
  }

  // The whole of the scheduler's part, preempted once.
  static void live(VllmCore& core) {
    core.queued(step(1));
    core.scheduled(VllmSchedule::first, step(2, VllmPhase::prefill));
    core.first_token(step(3, VllmPhase::decode, 12, 1));
    core.preempted(step(5, VllmPhase::decode, 12, 2, 1));
    core.scheduled(VllmSchedule::resume, step(8, VllmPhase::decode, 12, 2, 1));
    core.finished(VllmFinish::stopped, step(9, VllmPhase::decode, 12, 3, 1));
  }
  // A journey through both, handed over by a map.
  static void live(const std::string& id, const trace::Context& incoming = {},
                   const RouteNumbers* numbers = nullptr) {
    VllmStart start;
    start.at = tick();
    start.numbers = numbers;
    VllmRequest request = VllmRequest::start(incoming, id, start);
    request.set(GenAi::request_model, "m");
    Carrier carrier;
    request.inject(carrier);
    request.handoff_to_core(tick());
    {
      VllmStart in_core;
      in_core.at = tick();
      in_core.numbers = numbers;
      VllmCore core = VllmCore::from(carrier, id, in_core);
      live(core);
    }
    request.first_response_from_core(tick());
    request.departed({{12, 3, 4}, Outcome::stop, "m-1", tick()});
  }

  std::vector<trace::SpanData> named(std::string_view name) const {
    std::vector<trace::SpanData> found;
    for (trace::SpanData& span : spans()) {
      if (span.name == name) found.push_back(std::move(span));
    }
    return found;
  }
  trace::SpanData only(std::string_view name) const {
    const std::vector<trace::SpanData> found = named(name);
    EXPECT_EQ(found.size(), 1u) << name;
    return found.at(0);
  }
};

// A log past whatever second earlier lines of a place came in: none is left out.
struct FreshLog : testing::LogCapture {
  FreshLog() {
    static std::chrono::hours ahead{24 * 365 * 10};
    clock().advance(++ahead);
  }
};

inline std::string text_of(const trace::OwnedValue* value) {
  if (value == nullptr) return "(none)";
  const auto* text = std::get_if<std::string>(value);
  return text != nullptr ? *text : "(no text)";
}

}  // namespace spanwire::journey
