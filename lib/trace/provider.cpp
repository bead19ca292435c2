#include "spanwire/trace/provider.hpp"

#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <utility>

#include "lib/base/fork_order.hpp"
#include "lib/trace/core.hpp"
#include "lib/trace/scopes.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::trace {
namespace detail {

constinit std::atomic<Core*> active_core{nullptr};

namespace {

// Never destroyed.  The order of locks is: control, scopes, settled.
struct Control {
  std::mutex mutex;
  // Held over a whole shutdown, so not in the fork handlers: a child makes it anew.
  std::timed_mutex shutdown_mutex;
  Provider provider;
  std::atomic<Core*> latest{nullptr};
  std::vector<Core*> all;  // those that were shut down are kept: late spans refer to them
  FlushReport last_report;
};

Control& control() {
  static Control& instance = *new Control;
  return instance;
}

void before_fork() {
  control().mutex.lock();
  lock_scopes();
  if (Core* core = active_core.load(std::memory_order_relaxed)) core->processor().lock_settled();
}

void release_after_fork() {
  if (Core* core = active_core.load(std::memory_order_relaxed)) core->processor().unlock_settled();
  unlock_scopes();
}

void after_fork_in_parent() {
  release_after_fork();
  control().mutex.unlock();
}

void after_fork_in_child() {
  release_after_fork();
  forget_state();
  Control& all = control();
  new (&all.shutdown_mutex) std::timed_mutex;
  if (Core* parent = active_core.load(std::memory_order_relaxed)) {
    auto* child = new Core(Core::Inherit{}, *parent);
    all.all.push_back(child);
    all.latest.store(child, std::memory_order_release);
    active_core.store(child, std::memory_order_release);
  }
  all.mutex.unlock();
}

struct Reading {
  explicit Reading(Core& core) : stats(core.stats()), settled(core.processor().settled()) {}
  Reading() = default;
  TraceStats stats;
  Settled settled;
};

FlushReport report(const Reading& before, const Reading& after, bool in_time) {
  FlushReport report;
  report.in_time = in_time;
  report.exported = after.stats.exported - before.stats.exported;
  report.missed = after.settled.missed - before.settled.missed;
  for (std::size_t i = 0; i < kLossReasons; ++i) {
    report.lost.spans[i] = after.stats.lost.spans[i] - before.stats.lost.spans[i];
  }
  report.queued = after.stats.queued;
  report.open = after.stats.open;
  if (after.settled.failures != before.settled.failures) report.cause = after.settled.cause;
  if (!in_time) report.cause = Error(Errc::export_timeout);
  return report;
}

void shut_down_at_exit() {
  Provider* active = provider();
  if (active == nullptr) return;
  const auto timeout = latest_core()->options().exit_timeout;
  if (timeout.count() > 0) active->shutdown(timeout);
}

// Before there are threads: one of them could hold a lock while a process forks whose handlers are
// not there yet.
[[gnu::constructor(spanwire::detail::kForkHandlersOfTrace)]] void watch_forks() {
  control();
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

// False, and `options` untouched, if there is an active provider already.  Nothing is logged under
// the lock: a fork takes it together with the log's.
bool activate(Control& all, ProviderOptions& options) {
  const std::scoped_lock lock(all.mutex);
  if (active_core.load(std::memory_order_acquire) != nullptr) return false;
  // Here, not earlier: it runs before what is static and was made before goes.
  if (all.all.empty()) std::atexit(shut_down_at_exit);
  options.resource = Resource::of_process().merge(options.resource);
  auto* core = new Core(std::move(options));
  all.all.push_back(core);
  all.latest.store(core, std::memory_order_release);
  active_core.store(core, std::memory_order_release);
  return true;
}

// For people to compare.  `exporters`: those of `options`, which may have been handed on.
std::string settings(const ProviderOptions& options,
                     const std::vector<const Exporter*>& exporters) {
  const std::string* service = options.resource.text("service.name");
  std::string text =
      "service " + (service != nullptr ? *service : std::string("?")) + ", sampler " +
      (options.sampler != nullptr ? options.sampler->describe()
                                  : std::string("parentbased_always_on")) +
      keep_text(options) + ", every " + std::to_string(options.schedule_delay.count()) + " ms to";
  if (exporters.empty()) text += " nobody";
  for (std::size_t i = 0; i < exporters.size(); ++i) {
    text += (i == 0 ? " " : ", ") + exporters[i]->describe();
  }
  return text;
}

void log_second_init(const ProviderOptions& refused) {
  const Core& core = *latest_core();
  std::vector<const Exporter*> exporters;
  for (const auto& exporter : refused.exporters) exporters.push_back(exporter.get());
  const std::string active = settings(core.options(), core.prototypes());
  log_warn("tracing is already active; the second init() changes nothing",
           {{"active", active}, {"refused", settings(refused, exporters)}});
}

}  // namespace

Core* latest_core() noexcept { return control().latest.load(std::memory_order_acquire); }

}  // namespace detail

using detail::Control;
using detail::Core;

Provider& init(ProviderOptions options) {
  Control& all = detail::control();
  if (!detail::activate(all, options)) detail::log_second_init(options);
  return all.provider;
}

Provider* provider() noexcept {
  const bool active = detail::active_core.load(std::memory_order_acquire) != nullptr;
  return active ? &detail::control().provider : nullptr;
}

FlushReport Provider::force_flush(std::chrono::nanoseconds timeout) {
  const MonotonicTime deadline = Clock::system().monotonic() + timeout;
  Core* core = detail::active_core.load(std::memory_order_acquire);
  if (core == nullptr) return detail::report({}, {}, true);
  const detail::Reading before(*core);
  const bool in_time = core->processor().flush(deadline);
  return detail::report(before, detail::Reading(*core), in_time);
}

FlushReport Provider::shutdown(std::chrono::nanoseconds timeout) {
  const MonotonicTime deadline = Clock::system().monotonic() + timeout;
  Control& all = detail::control();
  const std::unique_lock lock(all.shutdown_mutex, deadline);
  if (!lock.owns_lock()) return detail::report({}, {}, false);
  Core* core = nullptr;
  {
    const std::scoped_lock short_lock(all.mutex);
    core = detail::active_core.exchange(nullptr, std::memory_order_acq_rel);
  }
  if (core == nullptr) return all.last_report;
  const bool in_time = core->processor().shutdown(deadline);
  all.last_report = detail::report({}, detail::Reading(*core), in_time);
  core->publish();
  const std::string text = all.last_report.to_string();
  log(all.last_report.complete() ? LogLevel::debug : LogLevel::warn, "tracing was shut down",
      {{"report", text}});
  return all.last_report;
}

TraceStats Provider::stats() const {
  const Core* core = detail::latest_core();
  return core != nullptr ? core->stats() : TraceStats();
}

std::vector<ExporterStats> Provider::exporter_stats() const {
  const Core* core = detail::latest_core();
  return core != nullptr ? core->processor().accounts().exporters() : std::vector<ExporterStats>();
}

void Provider::log_stats() const {
  const TraceStats now = stats();
  std::string exporters;
  for (const ExporterStats& exporter : exporter_stats()) {
    exporters += (exporters.empty() ? "" : "; ") + exporter.to_string();
  }
  const std::string reasons = now.lost.to_string();
  log_info("tracing so far", {{"started", now.started},
                              {"recorded", now.recorded},
                              {"kept", now.kept},
                              {"filtered", now.filtered},
                              {"exported", now.exported},
                              {"lost", now.lost.total()},
                              {"by_reason", reasons},
                              {"queued", now.queued},
                              {"open", now.open},
                              {"misused", now.misused},
                              {"exporters", exporters}});
}

void Provider::publish_stats() const {
  if (Core* core = detail::latest_core()) core->publish();
}

Resource Provider::resource() const {
  const Core* core = detail::latest_core();
  return core != nullptr ? core->options().resource : Resource();
}

}  // namespace spanwire::trace
