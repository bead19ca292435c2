#include "spanwire/journey/request.hpp"

#include <string>

#include "lib/journey/lifetime.hpp"
#include "lib/journey/registry.hpp"
#include "lib/journey/state.hpp"
#include "lib/journey/with_thread.hpp"
#include "spanwire/base/fork.hpp"
#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {
// A call through a handle whose context cannot be had.  A forked child's copies of its parent's
// requests are no misuse: they are the parent's.
Errc gone(const RequestState& request, std::uint32_t generation) {
  if (request.lock.foreign()) return strict() ? Errc::forked : Errc::ok;
  return request.lock.generation() == generation
             ? count_misuse(Errc::no_thread_context, "the request's part in this thread is over")
             : count_misuse(Errc::unknown_request, "the request is over");
}

// A thread's part in a request that is only passed on.
Errc Request::end_relay() const {
  if (!request_->lock.lock(request_generation_)) return Errc::ok;
  const bool last = request_->copy() && request_->leave_relay();
  if (last) return end_locked_request(*request_, request_generation_, {});
  request_->lock.unlock();
  return Errc::ok;
}

Errc Request::start_slice(trace::Key name, Level level, MonotonicTime at, bool anonymous) {
  const auto begin = [&](ThreadContext& thread) {
    const std::int64_t at_ns = thread.request().given_or_now(at);
    return thread.start_slice(name, level, at_ns, anonymous);
  };
  return with_thread(begin, at);
}

Errc Request::end_slice(trace::Key name, const SliceEnd& end) {
  return with_last_slice(end.thread_finish, [&](ThreadContext& thread, ThreadEnd* thread_end) {
    const std::int64_t at_ns = thread.request().given_or_now(end.at);
    const bool open = thread.slice_open();
    const Errc result = thread.end_slice(name, end.level, at_ns, end.attributes);
    if (thread_end != nullptr) {
      thread_end->at_ns = at_ns;
    } else if (end.auto_next_anonymous && open) {
      thread.start_slice({}, end.level, at_ns, true);
    }
    return result;
  });
}

Errc Request::add_event(trace::Key name, Level level, MonotonicTime at, Attributes attributes) {
  return with_thread([&](ThreadContext& thread) {
    if (!thread.request().wants(level)) return Errc::ok;
    thread.add_event(name, thread.request().given_or_now(at), attributes);
    return Errc::ok;
  });
}

Errc Request::add_to_slice(Attributes attributes) {
  return with_thread([&](ThreadContext& thread) {
    if (thread.add_to_slice(attributes)) return Errc::ok;
    return count_misuse(Errc::event_without_slice, "an attribute for a slice, and none is open");
  });
}

Errc Request::add_to_thread(Attributes attributes) {
  return with_thread([&](ThreadContext& thread) {
    thread.add_to_thread(attributes);
    return Errc::ok;
  });
}

Errc Request::add_to_root(Attributes attributes) {
  if (!request_->lock.lock(request_generation_)) return gone(*request_, request_generation_);
  const bool copy = request_->copy();
  if (!copy) request_->add_to_root(attributes);
  request_->lock.unlock();
  if (!copy) return Errc::ok;
  return count_misuse(Errc::root_of_copy,
                      "attributes for a request's span, where it was not started");
}

Errc Request::finish(MonotonicTime at, Attributes attributes) {
  if (request_ == nullptr) return Errc::ok;
  if (!request_->lock.lock(request_generation_)) return gone(*request_, request_generation_);
  if (request_->copy()) {
    request_->lock.unlock();
    return count_misuse(Errc::finish_of_copy, "a request is finished where it was not started");
  }
  const Errc result = end_locked_request(*request_, request_generation_, {at, attributes});
  return result != Errc::unknown_request ? result : gone(*request_, request_generation_);
}

Errc Request::abort(MonotonicTime at, Attributes information) {
  if (request_ == nullptr) return Errc::ok;
  if (!recording_) return end_relay();
  if (thread_ == nullptr || !thread_->lock.lock(thread_generation_)) {
    return gone(*request_, request_generation_);
  }
  if (!thread_->bound()) thread_->bind(request_->given_or_now(at));
  end_thread(*thread_, {request_->given_or_now(at), information});
  return Errc::ok;
}

// ---- Hand-over

PropagateContext Request::propagate() const { return propagate_with_innermost(nullptr); }

// Also `innermost`, if wanted: the thread's innermost span, where it has one that is exported.
PropagateContext Request::propagate_with_innermost(trace::SpanContext* innermost) const {
  if (request_ == nullptr) return {};
  trace::SpanContext previous;
  ThreadContext* const thread = RequestState::lock_thread(*this);
  if (thread != nullptr) {
    previous = thread->previous();
    if (request_->wants(kOff)) thread->announce();
    if (innermost != nullptr && thread->announced()) *innermost = thread->innermost();
    thread->lock.unlock();
  }
  if (!request_->lock.lock(request_generation_)) {
    gone(*request_, request_generation_);
    return {};
  }
  // The thread's part may be over: the request goes on from where that left off.
  if (thread == nullptr) previous = request_->previous();
  PropagateContext context = request_->propagate(previous);
  request_->lock.unlock();
  return context;
}

trace::Context Request::context() const {
  trace::SpanContext innermost;
  trace::Context context = propagate_with_innermost(&innermost).request;
  return innermost.valid() ? std::move(context).with_span(innermost) : context;
}

Request Request::copy_for_thread() const {
  if (request_ == nullptr) return {};
  const PropagateContext context = propagate();
  if (!context) return {};
  RequestBegin begin;
  begin.rid = request_->rid();
  begin.module = request_->module();
  begin.copy = true;
  begin.request = &context.request;
  begin.previous = &context.previous;
  return RequestState::start(begin, false);
}

Errc Request::rebuild_thread_context(MonotonicTime at) {
  if (request_ == nullptr || !recording_) return Errc::ok;
  if (!request_->lock.lock(request_generation_)) return gone(*request_, request_generation_);
  if (thread_ == nullptr || thread_->lock.generation() != thread_generation_) {
    thread_ = make_thread(*request_, request_->previous());
    if (thread_ != nullptr) thread_generation_ = thread_->lock.generation();
  }
  request_->lock.unlock();
  if (thread_ == nullptr || !thread_->lock.lock(thread_generation_)) return Errc::ok;
  const std::int64_t at_ns = request_->given_or_now(at);
  if (thread_->bound()) thread_->close_and_begin(at_ns);
  thread_->bind(at_ns);
  thread_->lock.unlock();
  return Errc::ok;
}

void Request::set_level(std::optional<Level> level) {
  if (request_ == nullptr || !request_->lock.lock(request_generation_)) return;
  request_->set_level(level ? std::min(*level, kEverything) : kFollowProcess);
  request_->lock.unlock();
}

// ---- Beginnings

Errc RequestState::missing(const Request& request) {
  return request.recording_ ? gone(*request.request_, request.request_generation_) : Errc::ok;
}

Request RequestState::start(const RequestBegin& begin, bool bound) {
  RequestState* state = make_request(begin);
  if (state == nullptr) return {};
  Request request(*state, state->lock.generation());
  request.recording_ = state->recorder().recording();
  if (request.recording_) {
    request.thread_ = make_thread(*state, state->previous());
    if (request.thread_ != nullptr) {
      request.thread_generation_ = request.thread_->lock.generation();
      if (bound) request.thread_->bind(state->given_or_now(begin.at));
    }
  }
  state->lock.unlock();
  return request;
}

Request start_request(const RequestOptions& options) {
  const bool nothing_came = options.parent == nullptr || !options.parent->span().valid();
  if (tracing_off() && nothing_came) return {};
  RequestBegin begin;
  begin.rid = options.rid;
  begin.role = options.role;
  begin.bootstrap_room = options.bootstrap_room;
  begin.module = options.module;
  begin.request = options.parent;
  begin.at = options.at;
  return RequestState::start(begin, true);
}

Request attach_request(const PropagateContext& from, std::string_view rid, std::string_view module,
                       MonotonicTime at) {
  if (!from) {
    count_misuse(Errc::not_traced, "the peer handed a request over without a context");
    return {};
  }
  RequestBegin begin;
  begin.rid = rid;
  begin.module = module;
  begin.copy = true;
  begin.request = &from.request;
  begin.previous = &from.previous;
  begin.at = at;
  return RequestState::start(begin, true);
}

void Request::leave_open() const {
  if (request_ == nullptr) return;
  const RequestEnd end{.misuse = Errc::thread_left_open};
  if (end_request(*request_, request_generation_, end) == Errc::unknown_request) return;
  count_misuse(end.misuse, "a request was left open");
}

ScopedRequest::~ScopedRequest() { request_.leave_open(); }

}  // namespace spanwire::journey
