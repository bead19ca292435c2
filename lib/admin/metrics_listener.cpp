#include "spanwire/admin/metrics_listener.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "lib/admin/listener_loop.hpp"
#include "lib/admin/listening_socket.hpp"
#include "lib/base/fork_lock.hpp"
#include "lib/base/fork_order.hpp"
#include "spanwire/base/log.hpp"
#include "spanwire/base/metrics.hpp"
#include "spanwire/base/metrics_text.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::admin {
namespace {

constinit std::mutex once_mutex;  // of listen_once()
std::mutex& mutex_of_once() { return once_mutex; }
[[gnu::constructor(spanwire::detail::kForkHandlersOfOneListener)]] void watch_forks() {
  spanwire::detail::hold_over_forks<mutex_of_once>();
}

}  // namespace

MetricsAnswer metrics_answer(std::string_view accept) {
  trace::Provider().publish_stats();
  const MetricsFormat format = metrics_format(accept);
  return {metrics_text(metrics_snapshot(), format), content_type(format)};
}

MetricsListener::MetricsListener(std::unique_ptr<ListenerLoop> loop) noexcept
    : loop_(std::move(loop)) {}
MetricsListener::~MetricsListener() = default;

const std::string& MetricsListener::address() const noexcept { return loop_->address(); }

Result<std::unique_ptr<MetricsListener>> MetricsListener::start(ListenerOptions options) {
  options.connections_max = std::max<std::size_t>(options.connections_max, 1);
  SPANWIRE_TRY(ListeningSocket socket, listen_on(options.address));
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    ::close(socket.descriptor);
    return fail(Errc::listen_failed, options.address + ": no descriptor left");
  }
  auto loop = std::make_unique<ListenerLoop>(std::move(options), std::move(socket), wake);
  if (!loop->start()) return fail(Errc::listen_failed, loop->address() + ": no thread left");
  return std::unique_ptr<MetricsListener>(new MetricsListener(std::move(loop)));
}

Result<std::string> listen_once(const ListenerOptions& options) {
  static MetricsListener* the_one = nullptr;
  const std::scoped_lock lock(once_mutex);
  if (the_one != nullptr) {
    log_warn("metrics are served already; a second listener is not started",
             {{"active", the_one->address()}, {"refused", options.address}});
    return the_one->address();
  }
  SPANWIRE_TRY(std::unique_ptr<MetricsListener> listener, MetricsListener::start(options));
  the_one = listener.release();
  return the_one->address();
}

}  // namespace spanwire::admin
