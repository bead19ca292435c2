#include "lib/journey/lifetime.hpp"

#include <algorithm>

#include "lib/journey/registry.hpp"
#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {
namespace {

void give_back(RequestState& request) {
  if (request.by_id()) registry().ids.remove(request.rid(), request);
  request.lock.unlock_and_retire();
  registry().requests.give(request);
}

void give_back(ThreadContext& thread) {
  thread.lock.unlock_and_retire();
  registry().threads.give(thread);
}

}  // namespace

RequestState* make_request(const RequestBegin& begin) {
  Registry& all = registry();
  const std::int64_t now_ns = all.sweep_if_due();
  RequestState* request = all.requests.take();
  if (request == nullptr) {
    count_misuse(Errc::too_many_requests, "a request is not followed");
    return nullptr;
  }
  request->lock.lock_new();
  request->begin(begin, now_ns);
  return request;
}

ThreadContext* make_thread(RequestState& request, const trace::SpanContext& previous) {
  ThreadContext* thread = registry().threads.take();
  if (thread == nullptr) {
    count_misuse(Errc::too_many_requests, "a thread's part in a request is not followed");
    return nullptr;
  }
  thread->begin(request, previous);
  request.add_thread(*thread);
  return thread;
}

void end_thread(ThreadContext& thread, const ThreadEnd& end) {
  RequestState& request = thread.request();
  thread.close(end);
  // Alive as long as this context is: any generation that it has is the right one.
  request.lock.lock(request.lock.generation());
  request.keep_previous(thread.previous());
  const bool taken_out = request.remove_thread(thread);
  if (taken_out && request.copy() && !request.ending() && request.first_thread() == nullptr) {
    request.end(end.at_ns, {}, Errc::ok);
    give_back(request);
  } else {
    request.lock.unlock();
  }
  give_back(thread);
}

Errc end_request(RequestState& request, std::uint32_t generation, const RequestEnd& end) {
  if (!request.lock.lock(generation)) return Errc::unknown_request;
  return end_locked_request(request, generation, end);
}

Errc end_locked_request(RequestState& request, std::uint32_t generation, const RequestEnd& end) {
  if (!request.begin_ending()) {
    request.lock.unlock();
    return Errc::unknown_request;
  }
  bool slices_open = false;
  const std::int64_t at_ns = request.given_or_now(end.at);
  while (ThreadContext* thread = request.first_thread()) {
    request.remove_thread(*thread);
    const std::uint32_t thread_generation = thread->lock.generation();
    request.lock.unlock();
    // Whoever ends it on its own at this moment has got it.
    if (thread->lock.lock(thread_generation)) {
      slices_open |= thread->slice_open();
      thread->close({at_ns, {}, Errc::slices_left_open, end.misuse});
      give_back(*thread);
    }
    if (!request.lock.lock(generation)) return Errc::unknown_request;
  }
  request.end(at_ns, end.attributes, end.misuse);
  give_back(request);
  return slices_open ? count_misuse(Errc::slices_left_open, "a request ended with open slices")
                     : Errc::ok;
}

}  // namespace spanwire::journey
