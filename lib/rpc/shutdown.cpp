// A client's end with a deadline.
#include <algorithm>

#include "lib/rpc/client_core.hpp"
#include "lib/rpc/each_loop.hpp"
#include "spanwire/base/when.hpp"
#include "spanwire/rpc/client.hpp"

namespace spanwire::rpc {

std::string ShutdownReport::text() const {
  return "shut down in " +
         std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) +
         " ms: " + std::to_string(finished) + " calls finished, " + std::to_string(cancelled) +
         " cancelled (" + std::to_string(not_sent) + " of them not sent), " +
         std::to_string(refused) + " refused, " + std::to_string(unwritten_bytes) +
         " bytes not written";
}

Task<void> LoopClient::until_ended() { return until(&LoopClient::has_ended); }

Task<ShutdownReport> LoopClient::shut_down(MonotonicTime deadline,
                                           std::shared_ptr<ClientCore> keep) {
  ShutdownReport report;
  shutting_down_ = true;
  note_state();
  tell_waiters();
  const std::size_t refused_before = refused_;
  report.finished = under_way();
  const MonotonicTime last = deadline + kCancelGrace;
  linger_until_ = last;
  for (channel::ClientChannel* channel : channels()) channel->linger_until(last);
  co_await until_by(&LoopClient::idle, deadline);
  cancel_calls(report);
  report.finished -= report.cancelled;
  const Error cause(Errc::shutting_down, "the client was shut down");
  stop(cause, std::move(keep));
  for (channel::ClientChannel* channel : channels()) channel->drain();
  co_await until_by(&LoopClient::has_ended, last);
  for (channel::ClientChannel* channel : channels()) channel->close(cause);
  report.unwritten_bytes = drop_connections();
  report.refused = refused_ - refused_before;
  co_return report;
}

// What runs when a call ends may end others.
void LoopClient::cancel_calls(ShutdownReport& report) noexcept {
  for (CallList* list : {&waiting_, &in_flight_}) {
    while (!list->empty()) {
      const Reached reached =
          list->first()->cancel_here(Errc::cancelled, "the client's time to shut down was over");
      ++report.cancelled;
      if (reached == Reached::not_sent) ++report.not_sent;
    }
  }
}

std::vector<channel::ClientChannel*> LoopClient::channels() {
  std::vector<channel::ClientChannel*> all;
  for (const auto& endpoint : endpoints_) {
    for (const auto& connection : endpoint->connections) all.push_back(&connection->channel());
  }
  return all;
}

std::size_t LoopClient::drop_connections() noexcept {
  std::size_t unwritten = 0;
  for (channel::ClientChannel* channel : channels()) unwritten += channel->unwritten_bytes();
  for (const auto& endpoint : endpoints_) endpoint->connections.clear();
  leave_if_ended();
  return unwritten;
}

Task<ShutdownReport> ClientCore::shutdown(std::shared_ptr<ClientCore> self,
                                          std::chrono::nanoseconds timeout) {
  ShutdownReport report;
  if (self->runtime_.inherited_over_fork()) co_return report;
  const Clock& clock = self->loops_.front()->loop().clock();
  const MonotonicTime began = clock.monotonic();
  const MonotonicTime deadline = began + std::min(timeout, kDrainMax);
  std::vector<Task<ShutdownReport>> ends =
      on_each(self->loops_, &LoopClient::shut_down, deadline, self);
  const std::vector<ShutdownReport> reports = co_await when_all(std::move(ends));
  for (const ShutdownReport& one : reports) {
    report.finished += one.finished;
    report.cancelled += one.cancelled;
    report.not_sent += one.not_sent;
    report.refused += one.refused;
    report.unwritten_bytes += one.unwritten_bytes;
  }
  report.took = clock.monotonic() - began;
  co_return report;
}

Task<ShutdownReport> Client::shutdown(std::chrono::nanoseconds timeout) {
  return ClientCore::shutdown(core_, timeout);
}

Result<ShutdownReport> Client::shutdown_blocking(std::chrono::nanoseconds timeout) {
  if (Executor::current() != nullptr)
    return fail(Errc::would_deadlock, "shutdown_blocking on a loop's thread");
  return core_->runtime().block_on(shutdown(timeout));
}

}  // namespace spanwire::rpc
