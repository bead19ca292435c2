#include "lib/journey/vllm_settings.hpp"

#include <atomic>
#include <string>

#include "lib/journey/vllm_log.hpp"
#include "spanwire/base/random.hpp"

namespace spanwire::journey {
namespace {

constinit std::atomic<double> sample_rate{1.0};
constinit std::atomic<const Clock*> clock_in_force{nullptr};
// Of the first init_vllm(); lives for ever.  No lock, so that a fork finds none held.
constinit std::atomic<const std::string*> first_endpoint{nullptr};

void check_endpoint(std::string_view endpoint) {
  const std::string* none = nullptr;
  const auto* mine = new std::string(endpoint);
  if (first_endpoint.compare_exchange_strong(none, mine, std::memory_order_acq_rel)) return;
  delete mine;
  const std::string& first = *first_endpoint.load(std::memory_order_acquire);
  if (first == endpoint) return;
  log_warn("another endpoint is ignored: the first one stays",
           {{"ignored", endpoint}, {"stays", first}});
}

trace::Tracer finish_init(VllmScope scope) {
  const trace::Tracer tracer = tracer_of(scope);
  vllm_log::tracer_created(scope);
  vllm_log::initialized(scope);
  return tracer;
}

}  // namespace

void set_vllm_options(const VllmOptions& options) noexcept {
  if (!(options.sample_rate >= 0.0 && options.sample_rate <= 1.0)) {
    log_warn("a sample rate is not from 0 to 1: the nearer one holds, 1 for what is no number",
             {{"sample_rate", options.sample_rate}});
  }
  sample_rate.store(options.sample_rate, std::memory_order_relaxed);
  clock_in_force.store(options.clock, std::memory_order_relaxed);
  vllm_log::set_request_lines(options.request_lines);
}

MonotonicTime vllm_now() noexcept {
  const Clock* clock = clock_in_force.load(std::memory_order_relaxed);
  return clock != nullptr ? clock->monotonic() : Clock::system().monotonic();
}

bool sample_journey() noexcept {
  const double rate = sample_rate.load(std::memory_order_relaxed);
  // Also what is no number.
  if (!(rate < 1.0)) return true;
  return rate > 0.0 && Random::of_thread().unit() < rate;
}

const trace::Tracer& tracer_of(VllmScope scope) noexcept {
  static const trace::Tracer api = trace::tracer(name(VllmScope::api));
  static const trace::Tracer scheduler = trace::tracer(name(VllmScope::scheduler));
  return scope == VllmScope::api ? api : scheduler;
}

namespace {
// Before there are threads: a fork amid the making of a static leaves its child waiting for it.
[[gnu::constructor]] void make_tracers() { tracer_of(VllmScope::api); }
}  // namespace

trace::Tracer init_vllm(VllmScope scope, std::string_view endpoint,
                        trace::ProviderOptions options) {
  vllm_log::initializing(scope, endpoint);
  check_endpoint(endpoint);
  if (trace::provider() == nullptr) {
    vllm_log::provider_initializing(endpoint);
    trace::init(std::move(options));
    vllm_log::provider_initialized();
  }
  return finish_init(scope);
}

trace::Tracer init_vllm(VllmScope scope, std::string_view endpoint) {
  vllm_log::initializing(scope, endpoint);
  check_endpoint(endpoint);
  if (trace::provider() == nullptr) {
    log_warn("no provider is active: vLLM's spans are not recorded, contexts are passed on");
  }
  return finish_init(scope);
}

}  // namespace spanwire::journey
