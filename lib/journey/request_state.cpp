#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "lib/journey/registry.hpp"
#include "lib/journey/state.hpp"
#include "spanwire/base/random.hpp"
#include "spanwire/journey/misuse.hpp"
#include "spanwire/trace/tracer.hpp"

namespace spanwire::journey {
namespace {

constexpr std::size_t kRidShown = 8;
const std::string kRoomName = "Bootstrap Room ";

// SGLang's, under which its converter and its users look for spans.
const trace::Tracer& tracer() {
  static const trace::Tracer instance = trace::tracer("sglang server");
  return instance;
}

// Before there are threads: a fork amid the making of a static leaves its child waiting for it.
[[gnu::constructor]] void make_tracer() { tracer(); }

// Without the worker's id, which a tokenizer with several processes puts before it.
std::string_view own_part(std::string_view rid) noexcept {
  const void* const found = rid.empty() ? nullptr : ::memrchr(rid.data(), '_', rid.size());
  if (found == nullptr) return rid;
  return rid.substr(static_cast<std::size_t>(static_cast<const char*>(found) - rid.data()) + 1);
}

bool is_role(std::string_view role) noexcept { return role != "unified" && role != "null"; }

void assign_hex(std::string& text, std::uint64_t number) {
  std::array<char, 16> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  text.assign("0x").append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

MonotonicTime time_of(std::int64_t ns) noexcept {
  return MonotonicTime(std::chrono::nanoseconds(ns));
}

}  // namespace

void RequestState::begin(const RequestBegin& begin, std::int64_t now_ns) {
  alive_.store(true, std::memory_order_release);
  ending_ = false;
  begun_ns_ = now_ns;
  rid_.assign(begin.rid);
  module_.assign(begin.module);
  module_index_ = module_index(begin.module);
  copy_ = begin.copy;
  by_id_ = begin.by_id;
  // Made in place: an assignment would copy twice.
  std::destroy_at(&received_.request);
  if (begin.request != nullptr) {
    std::construct_at(&received_.request, *begin.request);
  } else {
    std::construct_at(&received_.request);
  }
  received_.previous = begin.previous != nullptr ? *begin.previous : trace::SpanContext();
  under_room_ = false;
  previous_ = received_.previous;
  announced_.store(false, std::memory_order_relaxed);
  level_.store(kFollowProcess, std::memory_order_relaxed);
  threads_ = nullptr;
  relay_threads_ = 1;
  room_name_.clear();
  if (begin.bootstrap_room != 0) assign_hex(room_name_, begin.bootstrap_room);
  if (by_id_ && !copy_ && !room_name_.empty()) begin_room(begin);
  copy_ ? begin_copy() : begin_root(begin);
  if (!recorder_.recording()) return;
  recorded_requests.fetch_add(1, std::memory_order_relaxed);
  start_ns_ = given_or_now(begin.at);
  if (!copy_ && wants(kOff)) announce();
}

void RequestState::begin_room(const RequestBegin& begin) {
  if (auto brought = registry().rooms.use(std::to_string(begin.bootstrap_room))) {
    room_ = brought->request;
    under_room_ = true;
    previous_ = brought->previous;
    return;
  }
  const trace::Decided decided = trace::decide(tracer(), received_.request, kRoomName + room_name_);
  room_recorder_ = decided.recorder;
  if (!decided.context.valid()) return;
  room_ = received_.request.with_span(decided.context, decided.tracestate);
  under_room_ = true;
}

void RequestState::make_name(std::string_view role) {
  name_.clear();
  if (is_role(role)) name_.append(role);
  name_.append(" Req ").append(own_part(rid_).substr(0, kRidShown));
}

void RequestState::begin_root(const RequestBegin& begin) {
  const bool named = tracer().asks_sampler(above());
  if (named) make_name(begin.role);
  const trace::Decided decided =
      trace::decide(tracer(), above(), named ? trace::Key(name_) : trace::Key());
  recorder_ = decided.recorder;
  root_ = decided.context;
  tracestate_.assign(decided.tracestate);
  attributes_.add(decided.attributes);
  if (!recorder_.recording()) return;
  if (!named) make_name(begin.role);
  module_shown_.assign(kModulePrefix).append(module_);
}

// The request's span is somebody else's: the sampler is asked about the first thread's.
void RequestState::begin_copy() {
  const trace::Decided decided = trace::decide(tracer(), received_.request, "thread");
  recorder_ = decided.recorder;
  root_ = received_.request.span();
  decided_id_ = decided.context.span_id();
  tracestate_.assign(decided.tracestate);
}

trace::SpanId RequestState::id_for_thread() noexcept {
  if (!decided_id_.is_zero()) return std::exchange(decided_id_, trace::SpanId());
  return trace::SpanId::generate(Random::of_thread());
}

void RequestState::announce() noexcept {
  if (copy_ || announced_.exchange(true, std::memory_order_relaxed)) return;
  recorder_.open_decided();
  if (room_recorder_.recording()) room_recorder_.open_decided();
}

void RequestState::add_thread(ThreadContext& thread) noexcept {
  thread.next_in_request = threads_;
  threads_ = &thread;
}

bool RequestState::remove_thread(const ThreadContext& thread) noexcept {
  for (ThreadContext** at = &threads_; *at != nullptr; at = &(*at)->next_in_request) {
    if (*at != &thread) continue;
    *at = thread.next_in_request;
    return true;
  }
  return false;
}

std::int64_t RequestState::touched_ns() const noexcept {
  std::int64_t latest = begun_ns_;
  for (const ThreadContext* at = threads_; at != nullptr; at = at->next_in_request) {
    latest = std::max(latest, at->touched_ns.load(std::memory_order_relaxed));
  }
  return latest;
}

Request RequestState::handle_of(const ThreadIdentity* thread) noexcept {
  Request request(*this, lock.generation());
  request.recording_ = recorder_.recording();
  for (ThreadContext* at = threads_; at != nullptr; at = at->next_in_request) {
    if (thread == nullptr || at->owner() != thread) continue;
    request.thread_ = at;
    request.thread_generation_ = at->lock.generation();
  }
  return request;
}

ThreadContext* RequestState::lock_thread(const Request& request, MonotonicTime at) noexcept {
  ThreadContext* thread = request.thread_;
  const bool found =
      request.recording_ && thread != nullptr && thread->lock.lock(request.thread_generation_);
  if (!found) return nullptr;
  if (!thread->bound()) thread->bind(thread->request().given_or_now(at));
  return thread;
}

PropagateContext RequestState::propagate(const trace::SpanContext& previous) const {
  // A relay: whatever came in goes on.
  const bool forwards = copy_ ? !recorder_.recording() : recorder_.recording() && !announced();
  if (forwards || !root_.valid()) return received_;
  if (copy_) return {received_.request, previous};
  const bool same = tracestate_ == above().tracestate();
  return {same ? above().with_span(root_) : above().with_span(root_, tracestate_), previous};
}

PropagateContext RequestState::propagate_room(const trace::SpanContext& previous) const {
  if (room_name_.empty()) return propagate(previous);
  return {above(), previous};
}

void RequestState::end(std::int64_t at_ns, Attributes attributes, Errc misuse) {
  if (!copy_ && announced()) write_root(at_ns, attributes, misuse);
  if (room_recorder_.recording() && announced()) write_room(at_ns);
  if (by_id_ && !copy_ && !room_name_.empty() && !room_recorder_.recording()) {
    registry().rooms.remove(std::to_string(std::strtoull(room_name_.c_str(), nullptr, 16)));
  }
  if (recorder_.recording()) recorded_requests.fetch_sub(1, std::memory_order_relaxed);
  alive_.store(false, std::memory_order_relaxed);
  attributes_.clear();
  // What it refers to; the rest is made anew by the next one.
  if (received_.request.block() != nullptr) received_.request = trace::Context();
  if (under_room_) room_ = trace::Context();
  recorder_ = room_recorder_ = trace::Recorder();
  decided_id_ = trace::SpanId();
}

void RequestState::write_room(std::int64_t at_ns) {
  const std::string name = kRoomName + room_name_;
  const trace::SpanContext& parent = received_.request.span();
  const trace::Attribute own[] = {{"bootstrap_room", room_name_}};
  const Attributes lists[] = {own};
  trace::WholeSpan span;
  span.context = above().span();
  span.parent = parent.valid() ? parent.span_id() : trace::SpanId();
  span.parent_remote = parent.valid() && parent.remote();
  span.name = name;
  span.start = time_of(start_ns_);
  span.end = time_of(at_ns);
  span.tracestate = above().tracestate();
  span.attributes = lists;
  room_recorder_.write(span);
}

void RequestState::write_root(std::int64_t at_ns, Attributes attributes, Errc misuse) {
  const trace::SpanContext& parent = above().span();
  trace::WholeSpan span;
  span.context = root_;
  span.parent = parent.valid() ? parent.span_id() : trace::SpanId();
  span.parent_remote = parent.valid() && parent.remote();
  span.name = name_;
  span.start = time_of(start_ns_);
  span.end = time_of(at_ns);
  span.tracestate = tracestate_;
  const trace::Attribute own[] = {
      {"rid", own_part(rid_)}, {"module", module_shown_}, {"bootstrap_room", room_name_}};
  const trace::Attribute mark[] = {{"spanwire.misuse", name(misuse)}};
  if (misuse != Errc::ok) {
    span.status = trace::StatusCode::error;
    span.status_message = describe(misuse);
  }
  std::array<Attributes, kSavedPiecesMax + 3> lists;
  std::size_t count = 0;
  lists[count++] = Attributes(own, room_name_.empty() ? 2 : 3);
  for (const SavedPiece* at = attributes_.first(); at != nullptr; at = at->next) {
    lists[count++] = at->attributes();
  }
  lists[count++] = attributes;
  lists[count++] = Attributes(mark, misuse != Errc::ok ? 1 : 0);
  span.attributes = {lists.data(), count};
  recorder_.write(span);
}

}  // namespace spanwire::journey
