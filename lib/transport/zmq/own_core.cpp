#include "lib/transport/zmq/own_core.hpp"

#include <unistd.h>
#include <zmq.h>

namespace spanwire::transport {
namespace {

bool has_one_core() noexcept {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  return sched_getaffinity(getpid(), sizeof cores, &cores) == 0 && CPU_COUNT(&cores) == 1;
}

// Tried with the calling thread, which is put back.
bool may_be_batch_work() noexcept {
  const sched_param plain{};
  if (sched_getscheduler(0) != SCHED_OTHER) return false;
  if (sched_setscheduler(0, SCHED_BATCH, &plain) != 0) return false;
  return sched_setscheduler(0, SCHED_OTHER, &plain) == 0;
}

}  // namespace

bool make_batch_work(void* context) noexcept {
  return has_one_core() && may_be_batch_work() &&
         zmq_ctx_set(context, ZMQ_THREAD_SCHED_POLICY, SCHED_BATCH) == 0;
}

}  // namespace spanwire::transport
