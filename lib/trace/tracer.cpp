#include "spanwire/trace/tracer.hpp"

#include <deque>
#include <mutex>
#include <string>

#include "lib/trace/scopes.hpp"

namespace spanwire::trace {
namespace detail {
namespace {

constexpr std::size_t kScopesMax = 4096;

struct Scopes {
  std::mutex mutex;
  std::deque<Scope> scopes;
};

// Never destroyed: records refer to scopes until the process ends.
Scopes& scopes() {
  static Scopes& instance = *new Scopes;
  return instance;
}

// Before there are threads: a fork amid the making of a static leaves its child waiting for it.
[[gnu::constructor]] void make_scopes() { scopes(); }

}  // namespace

void lock_scopes() { scopes().mutex.lock(); }
void unlock_scopes() { scopes().mutex.unlock(); }

}  // namespace detail

Tracer tracer(std::string_view name, std::string_view version, std::string_view schema_url) {
  detail::Scopes& all = detail::scopes();
  const std::scoped_lock lock(all.mutex);
  for (const Scope& scope : all.scopes) {
    if (scope.name == name && scope.version == version && scope.schema_url == schema_url) {
      return Tracer(scope);
    }
  }
  if (all.scopes.size() > detail::kScopesMax) return Tracer(all.scopes.back());
  const bool last = all.scopes.size() == detail::kScopesMax;
  all.scopes.push_back(
      last ? Scope{"overflow", {}, {}}
           : Scope{std::string(name), std::string(version), std::string(schema_url)});
  return Tracer(all.scopes.back());
}

}  // namespace spanwire::trace
