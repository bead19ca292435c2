// Stages: what a request is doing, told once for its journey and for its numbers, from the same
// stamps.  Each stage is a slice of SGLang's, and each begins where the one before ends:
//
//   journey::RequestStages stages(request, journey::RequestNumbers(route, span, arrived, part));
//   stages.enter(journey::Stage::decode_waiting, arrived);      // queued
//   stages.enter(journey::Stage::decode_transferred, at);       // scheduled
//   stages.leave(at);                                           // slices of steps: batch.hpp
//   stages.tokens(1, at);  ...
//   stages.finished(journey::Outcome::stop, at, {.prompt = 12, .generated = 40});
//
// Times are given: nothing here reads a clock.
#pragma once

#include "spanwire/journey/numbers.hpp"
#include "spanwire/journey/request.hpp"
#include "spanwire/journey/stage.hpp"

namespace spanwire::journey {

// A request in one thread.  A small value; one thread at a time.  Works as well where the request
// is not recorded, and where nothing is counted.  Functions that return Errc: as Request's.
class RequestStages {
 public:
  // Tells nobody.
  RequestStages() noexcept = default;
  RequestStages(Request journey, const RequestNumbers& numbers) noexcept
      : journey_(journey), numbers_(numbers) {}

  // For slices, events and hand-over beside the stages.
  Request& journey() noexcept { return journey_; }
  const Request& journey() const noexcept { return journey_; }
  const RequestNumbers& numbers() const noexcept { return numbers_; }
  Stage stage() const noexcept { return stage_; }

  // The stage that it is in ends, with `attributes`, and the next one begins; the time in it is
  // RequestNumbers::stage().  Entering a queue is queued(), once; leaving it is scheduled(), and
  // the event "schedule" with the attribute "queue".
  Errc enter(Stage next, MonotonicTime at, Attributes attributes = {});
  Errc leave(MonotonicTime at, Attributes attributes = {}) {
    return enter(Stage::none, at, attributes);
  }
  // Its memory is taken away: the event "retract", with `attributes`, else with "queue", and back
  // into the queue that it was in last.
  Errc retracted(MonotonicTime at, Attributes attributes = {});
  void tokens(std::uint32_t count, MonotonicTime at) noexcept { numbers_.tokens(count, at); }
  // The last call: ends the stage; then the request, where it was started, with SGLang's attributes
  // of its usage and times, in the vocabulary in force; else its part in this thread.
  Errc finished(Outcome outcome, MonotonicTime at, const Usage& usage = {});

 private:
  Errc finish_root(Outcome outcome, MonotonicTime at, const Usage& usage);

  Request journey_;
  RequestNumbers numbers_;
  Stage stage_ = Stage::none;
  Stage queue_ = Stage::prefill_waiting;  // the last one
  MonotonicTime queued_{};
  MonotonicTime entered_{};  // the stage
};

}  // namespace spanwire::journey
