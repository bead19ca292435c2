// Work through a handle, on the request's context in the calling thread.
#pragma once

#include "lib/journey/lifetime.hpp"
#include "lib/journey/state.hpp"
#include "spanwire/journey/misuse.hpp"
#include "spanwire/journey/request.hpp"

namespace spanwire::journey {

Errc gone(const RequestState& request, std::uint32_t generation);

// Work on the thread's context, under its lock; its result.  The thread's span begins `at` the
// latest.
template <class Work>
Errc Request::with_thread(const Work& work, MonotonicTime at) const {
  ThreadContext* const thread = thread_;
  if (thread == nullptr || !thread->lock.lock(thread_generation_)) [[unlikely]] {
    return request_ != nullptr ? gone(*request_, request_generation_) : Errc::ok;
  }
  if (!thread->bound()) [[unlikely]]
    thread->bind(request_->given_or_now(at));
  const Errc result = work(*thread);
  thread->lock.unlock();
  return result;
}

// The same for work after which the context may be over.  `finishes` says so, with its end.
template <class Work>
Errc Request::with_last_slice(bool finishes, const Work& work, MonotonicTime at) const {
  if (!finishes) {
    return with_thread([&](ThreadContext& thread) { return work(thread, nullptr); }, at);
  }
  if (request_ == nullptr) return Errc::ok;
  if (!recording_) return end_relay();
  if (thread_ == nullptr || !thread_->lock.lock(thread_generation_)) {
    return gone(*request_, request_generation_);
  }
  if (!thread_->bound()) thread_->bind(request_->given_or_now(at));
  ThreadEnd end;
  Errc result = work(*thread_, &end);
  if (thread_->slice_open()) {
    end.slices = Errc::slices_left_open;
    result = count_misuse(end.slices, "a thread's part of a request ended with open slices");
  }
  end_thread(*thread_, end);
  return result;
}

}  // namespace spanwire::journey
