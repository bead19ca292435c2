#include "lib/rpc/inside_subscribers.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"

namespace spanwire::rpc {
namespace {

// Never destroyed: a subscriber may outlive static objects.
struct Registry {
  std::mutex mutex;
  std::multimap<std::string, InsideSubscriber*> by_name;

  static Registry& instance() {
    static Registry* const registry = new Registry;
    return *registry;
  }
};

std::mutex& registry_mutex() { return Registry::instance().mutex; }
[[gnu::constructor(detail::kForkHandlersOfRpc)]] void watch_forks() {
  detail::hold_over_forks<registry_mutex>();
}

int next_number() noexcept {
  static constinit std::atomic<int> last{0};
  return --last;
}

}  // namespace

InsideSubscriber::InsideSubscriber() noexcept : number_(next_number()) {}

void add_inside(const std::vector<std::string>& names, InsideSubscriber& subscriber) {
  Registry& all = Registry::instance();
  const std::lock_guard lock(all.mutex);
  for (const std::string& name : names) all.by_name.emplace(name, &subscriber);
}

void remove_inside(InsideSubscriber& subscriber) {
  Registry& all = Registry::instance();
  const std::lock_guard lock(all.mutex);
  std::erase_if(all.by_name, [&](const auto& known) { return known.second == &subscriber; });
}

void visit_inside(const std::vector<std::string>& names,
                  const std::function<void(InsideSubscriber&)>& visit) {
  Registry& all = Registry::instance();
  const std::lock_guard lock(all.mutex);
  std::set<InsideSubscriber*> found;
  for (const std::string& name : names) {
    const auto [first, last] = all.by_name.equal_range(name);
    for (auto known = first; known != last; ++known) found.insert(known->second);
  }
  for (InsideSubscriber* subscriber : found) {
    if (!subscriber->inherited()) visit(*subscriber);
  }
}

}  // namespace spanwire::rpc
