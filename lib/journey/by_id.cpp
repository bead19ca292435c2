#include "spanwire/journey/by_id.hpp"

#include <vector>

#include "lib/journey/lifetime.hpp"
#include "lib/journey/registry.hpp"
#include "spanwire/journey/misuse.hpp"
#include "spanwire/journey/sglang_dict.hpp"

namespace spanwire::journey::by_id {
namespace {

// Nobody traces and nobody forwards.
bool idle() noexcept { return tracing_off() && nothing_lives(); }

Errc unknown() { return count_misuse(Errc::unknown_request, "no request of this id"); }

// Locked; null if it is over, or never was.
RequestState* lock_request(std::string_view rid, std::uint32_t& generation) {
  const RequestRef found = registry().ids.find(rid);
  if (!found || !found.request->lock.lock(found.generation)) return nullptr;
  generation = found.generation;
  return found.request;
}

template <class Call>
Errc with(std::string_view rid, const Call& call) {
  if (idle()) return Errc::ok;
  std::uint32_t generation = 0;
  RequestState* state = lock_request(rid, generation);
  if (state == nullptr) return unknown();
  Request request = state->handle_of(named_thread());
  state->lock.unlock();
  return call(request);
}

RequestBegin begin_of(const RequestOptions& options) {
  RequestBegin begin;
  begin.rid = options.rid;
  begin.role = options.role;
  begin.bootstrap_room = options.bootstrap_room;
  begin.module = options.module;
  begin.by_id = true;
  begin.request = options.parent;
  begin.at = options.at;
  return begin;
}

bool has_request(const Request& request) noexcept {
  return RequestState::state_of(request) != nullptr;
}

RequestRef ref_of(const Request& request) noexcept {
  return {RequestState::state_of(request), RequestState::generation_of(request)};
}

// A context for this thread in a request that is here already.  Its first slice follows `previous`.
Errc attach_thread(std::string_view rid, const trace::SpanContext& previous) {
  std::uint32_t generation = 0;
  RequestState* state = lock_request(rid, generation);
  if (state == nullptr) return unknown();
  const ThreadIdentityPtr& identity = identity_of_thread();
  bool there = !state->recorder().recording();
  if (there && state->copy()) state->join_relay();
  for (ThreadContext* at = state->first_thread(); at != nullptr; at = at->next_in_request) {
    there = there || at->owner() == identity.get();
  }
  if (!there) {
    ThreadContext* thread = make_thread(*state, previous);
    if (thread != nullptr) thread->bind(state->given_or_now({}));
  }
  state->lock.unlock();
  return Errc::ok;
}

}  // namespace

Errc start(const RequestOptions& options) {
  const bool nothing = options.parent == nullptr || !options.parent->span().valid();
  if (idle() && nothing) return Errc::ok;
  if (options.rid.size() > kRidBytesMax) return Errc::invalid_argument;
  const Request request = RequestState::start(begin_of(options), true);
  if (!has_request(request)) return strict() ? Errc::too_many_requests : Errc::ok;
  const RequestRef before = registry().ids.put(options.rid, ref_of(request));
  if (!before) return Errc::ok;
  const RequestEnd end{options.at, {}, Errc::request_restarted};
  if (end_request(*before.request, before.generation, end) == Errc::unknown_request) {
    return Errc::ok;
  }
  return count_misuse(Errc::request_restarted, "a request was started again before its end");
}

Errc finish(std::string_view rid, MonotonicTime at, Attributes attributes) {
  return with(rid, [=](Request& request) { return request.finish(at, attributes); });
}

Request find(std::string_view rid) {
  Request found;
  with(rid, [&](Request& request) {
    found = request;
    return Errc::ok;
  });
  return found;
}

namespace detail {

Errc slice_start(trace::Key name, std::string_view rid, MonotonicTime at) {
  return with(rid, [=](Request& request) { return request.slice_start(name, kImportant, at); });
}

Errc anonymous_start(std::string_view rid, MonotonicTime at) {
  return with(rid, [=](Request& request) { return request.anonymous_start(at); });
}

Errc slice_end(trace::Key name, std::string_view rid, const SliceEnd& end) {
  return with(rid, [&](Request& request) { return request.slice_end(name, end); });
}

Errc event(trace::Key name, std::string_view rid, MonotonicTime at, Attributes attributes) {
  return with(rid, [&](Request& request) {
    bool open = true;
    if (ThreadContext* thread = RequestState::lock_thread(request)) {
      open = thread->slice_open();
      thread->lock.unlock();
    }
    const Errc result = request.event(name, kImportant, at, attributes);
    if (open) return result;
    return count_misuse(Errc::event_without_slice, "an event, and no slice is open");
  });
}

Errc slice_attributes(std::string_view rid, Attributes attributes) {
  return with(rid, [=](Request& request) { return request.set_slice(attributes); });
}

}  // namespace detail

Result<PropagateContext> propagate_context(std::string_view rid) {
  std::uint32_t generation = 0;
  RequestState* state = lock_request(rid, generation);
  if (state == nullptr) {
    unknown();
    return fail(Errc::unknown_request, std::string(rid));
  }
  const Request request = state->handle_of(named_thread());
  const bool relay = !state->recorder().recording();
  state->lock.unlock();
  if (!relay) {
    ThreadContext* thread = RequestState::lock_thread(request);
    if (thread == nullptr) {
      count_misuse(Errc::no_thread_context, "a context is asked for where there is none");
      return fail(Errc::no_thread_context, std::string(rid));
    }
    thread->lock.unlock();
  }
  return request.propagate();
}

Errc set_propagate_context(std::string_view rid, const PropagateContext& context) {
  if (!context) {
    return count_misuse(Errc::not_traced, "the peer handed a request over without a context");
  }
  if (rid.size() > kRidBytesMax) return Errc::invalid_argument;
  if (registry().ids.find(rid)) return attach_thread(rid, context.previous);
  RequestBegin begin;
  begin.rid = rid;
  begin.copy = true;
  begin.by_id = true;
  begin.request = &context.request;
  begin.previous = &context.previous;
  // Not bound yet: if another thread is faster, nothing of this one is exported.
  const Request request = RequestState::start(begin, false);
  if (!has_request(request)) return strict() ? Errc::too_many_requests : Errc::ok;
  if (registry().ids.put_new(rid, ref_of(request))) {
    if (ThreadContext* thread = RequestState::lock_thread(request)) thread->lock.unlock();
    return Errc::ok;
  }
  end_request(*ref_of(request).request, ref_of(request).generation, {});
  return attach_thread(rid, context.previous);
}

std::string remote_contexts(std::span<const std::string_view> rooms) {
  std::vector<RoomContext> contexts;
  for (const std::string_view room : rooms) {
    std::uint32_t generation = 0;
    RequestState* state = lock_request(room, generation);
    if (state == nullptr) continue;
    const Request request = state->handle_of(named_thread());
    state->lock.unlock();
    const PropagateContext own = request.propagate();
    if (!state->lock.lock(generation)) continue;
    contexts.push_back({std::string(room), state->propagate_room(own.previous)});
    state->lock.unlock();
  }
  return contexts.empty() && tracing_off() ? std::string() : to_base64(contexts);
}

Result<void> set_remote_contexts(std::string_view base64) {
  if (base64.empty() || base64 == "None") return {};
  SPANWIRE_TRY(const std::vector<RoomContext> rooms, from_base64(base64));
  Registry& all = registry();
  const std::int64_t now_ns = all.sweep_if_due();
  for (const RoomContext& room : rooms) {
    if (room.room != "0") all.rooms.put(room.room, room.context, now_ns);
  }
  return {};
}

}  // namespace spanwire::journey::by_id
