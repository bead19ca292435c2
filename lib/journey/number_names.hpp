// What the numbers of requests are called in each profile.
#pragma once

#include <string_view>

#include "spanwire/journey/numbers.hpp"

namespace spanwire::journey {

// The series for one route; `labels` are those of its profile, in the order model, route.
BoundedHistogram& interval_series(Profile profile, Interval interval, std::string_view model,
                                  std::string_view route);
NamedCounter& amount_series(Profile profile, Amount amount, std::string_view model,
                            std::string_view route);
NamedCounter& outcome_series(Profile profile, Outcome outcome, std::string_view model,
                             std::string_view route);
// Null for what is not observed, and for prefill_forward and decode_forward, which are intervals.
BoundedHistogram* stage_series(Profile profile, Stage stage, std::string_view model,
                               std::string_view route);
// Null where a profile has no distribution of retractions over requests.
BoundedHistogram* retractions_series(Profile profile, std::string_view model,
                                     std::string_view route);

}  // namespace spanwire::journey
