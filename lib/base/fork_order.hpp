// In which order the handlers of forks are registered: as constructors of these priorities, before
// there are threads.  The locks of those that come first are taken last, and their children run
// first.
#pragma once

namespace spanwire::detail {

inline constexpr int kForkHandlersOfGeneration = 200;  // the others' children ask for it
inline constexpr int kForkHandlersOfCounters = 201;
inline constexpr int kForkHandlersOfLog = 202;  // it counts under its lock
inline constexpr int kForkHandlersOfListeners = 203;
inline constexpr int kForkHandlersOfTransport = 204;
inline constexpr int kForkHandlersOfTrace = 205;  // what runs under its locks may count and log
inline constexpr int kForkHandlersOfJourney = 206;
inline constexpr int kForkHandlersOfRpc = 207;
inline constexpr int kForkHandlersOfOneListener = 208;  // it starts a listener under its lock

}  // namespace spanwire::detail
