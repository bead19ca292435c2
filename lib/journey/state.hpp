// The contexts behind handles: of a request, and of a request in a thread.
//
// Locks: a thread context's before its request's.  A context that is locked and of its generation
// keeps its request alive.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "lib/journey/saved.hpp"
#include "lib/journey/settings.hpp"
#include "lib/journey/slot_lock.hpp"
#include "lib/journey/thread_identity.hpp"
#include "spanwire/journey/request.hpp"

namespace spanwire::journey {

inline constexpr std::size_t kSliceDepthMax = 64;
inline constexpr std::uint8_t kFollowProcess = 0xFF;
inline constexpr std::string_view kModulePrefix = "sglang::";

struct OpenSlice {
  trace::Key key;    // a literal, or empty
  std::string text;  // the name that is no literal
  trace::SpanId id;  // zero: not recorded
  std::int64_t start_ns = 0;
  trace::SpanContext link;
  Saved attributes;
  Errc misuse = Errc::ok;
  Level level = 0;
  bool anonymous = false;
  bool first_level = false;

  bool recorded() const noexcept { return !id.is_zero(); }
  trace::Key name() const noexcept { return text.empty() ? key : trace::Key(text); }
  void set_name(trace::Key name) {
    key = name.is_literal() ? name : trace::Key();
    text.assign(name.is_literal() ? std::string_view() : name.view());
  }
};

// How a thread's part of a request ends.
struct ThreadEnd {
  std::int64_t at_ns = 0;
  Attributes information{};
  // Of slices that are open, and of the thread's span; ok: they end in good order.
  Errc slices = Errc::ok;
  Errc thread = Errc::ok;
};

// One thread at a time, under its lock.
class ThreadContext {
 public:
  SlotLock lock;
  std::uint32_t home = 0;

  void begin(RequestState& request, const trace::SpanContext& previous) noexcept;
  // The thread's span begins.
  void bind(std::int64_t at_ns);
  bool bound() const noexcept { return identity_ != nullptr; }
  // Of the thread that this is bound to; from any thread.
  const ThreadIdentity* owner() const noexcept { return owner_.load(std::memory_order_relaxed); }
  RequestState& request() const noexcept { return *request_; }

  Errc start_slice(trace::Key name, Level level, std::int64_t at_ns, bool anonymous);
  Errc end_slice(trace::Key name, Level level, std::int64_t at_ns, Attributes attributes);
  // `id`: one that was opened for it, or zero.
  Errc add_slice(const Slice& slice, trace::SpanId id = {});
  inline Errc add_slice_here(const Slice& slice, trace::SpanId id);  // in complete_slice.cpp
  Errc add_any_slice(const Slice& slice, trace::SpanId id, trace::SpanId parent, bool first_level);
  void add_event(trace::Key name, std::int64_t at_ns, Attributes attributes);
  // Complete slices, or the end of the innermost one, as a row of a table; false, with nothing
  // done, for what has to be looked at one by one.
  bool add_row(std::span<const trace::SpanId> ids, std::int64_t at_ns,
               trace::SpanRow& row) noexcept;
  bool end_row(trace::Key name, Level level, std::int64_t at_ns, trace::SpanId& id,
               trace::SpanRow& row) noexcept;
  // False without an open slice.
  bool add_to_slice(Attributes attributes);
  void add_to_thread(Attributes attributes) { attributes_.add(attributes); }
  bool slice_open() const noexcept { return depth_ != 0; }
  void close(const ThreadEnd& end);
  // The thread's part ends, another one can begin where it left off.
  void close_and_begin(std::int64_t at_ns);
  // The thread's span will be exported, and with it the request's.
  void announce() noexcept;
  bool announced() const noexcept { return announced_; }

  // What the next slice elsewhere links to.
  trace::SpanContext previous() const noexcept;
  // The innermost span.
  trace::SpanContext innermost() const noexcept;

  ThreadContext* next_in_request = nullptr;
  std::atomic<std::int64_t> touched_ns{0};

 private:
  OpenSlice& slice_at(std::size_t depth) noexcept { return depth == 0 ? first_ : more_[depth - 1]; }
  const OpenSlice& slice_at(std::size_t depth) const noexcept {
    return depth == 0 ? first_ : more_[depth - 1];
  }
  const OpenSlice* innermost_recorded() const noexcept;
  bool anonymous_open() const noexcept;
  trace::SpanContext context_of(const trace::SpanId& id) const noexcept;
  trace::SpanId parent_id() const noexcept;
  trace::SpanContext last() const noexcept {
    return last_id_.is_zero() ? handed_over_ : context_of(last_id_);
  }
  void pop() noexcept;
  void write_slice(OpenSlice& slice, std::int64_t end_ns, Attributes attributes,
                   trace::Key ended_as);
  // A complete slice's, opened now if it has no id yet.
  void write(trace::WholeSpan& span) noexcept;
  // With the events that were bound to its time.
  Errc write_with_events(trace::WholeSpan& span);
  void write_thread(const ThreadEnd& end);

  RequestState* request_ = nullptr;
  ThreadIdentityPtr identity_;
  std::atomic<const ThreadIdentity*> owner_{nullptr};
  trace::SpanId span_id_;
  std::int64_t start_ns_ = 0;
  // The slice that the next one follows: the thread's last one or, before there is one, what came
  // from elsewhere, if that is valid.
  trace::SpanId last_id_;
  trace::SpanContext handed_over_;
  bool announced_ = false;
  std::uint32_t depth_ = 0;
  std::uint32_t too_deep_ = 0;
  OpenSlice first_;
  std::vector<OpenSlice> more_;
  Saved events_;
  Saved attributes_;
};

// How a request comes to be in this process.
struct RequestBegin {
  std::string_view rid;
  std::string_view role{};
  std::uint64_t bootstrap_room = 0;
  std::string_view module{};
  bool copy = false;
  // Known by its id; the request's span stands under its room's.
  bool by_id = false;
  // What came in, borrowed: the caller's span, or the request's own where it is a copy; and the
  // slice before the hand-over.  Null: nothing.
  const trace::Context* request = nullptr;
  const trace::SpanContext* previous = nullptr;
  MonotonicTime at{};
};

// Under its lock, but for what is fixed by begin() and can be read while a thread context is held.
class RequestState {
 public:
  SlotLock lock;
  std::uint32_t home = 0;

  // The lock is of a slot that nobody else knows yet.
  void begin(const RequestBegin& begin, std::int64_t now_ns);
  // A new request with a context for this thread, whose span begins unless not `bound`.  The null
  // object if there are too many.
  static Request start(const RequestBegin& begin, bool bound);
  // A handle for the thread of that identity, under the lock.
  Request handle_of(const ThreadIdentity* thread) noexcept;
  static RequestState* state_of(const Request& request) noexcept { return request.request_; }
  static std::uint32_t generation_of(const Request& request) noexcept {
    return request.request_generation_;
  }
  // The thread's context behind a handle, locked; null if there is nothing to record.  The span of
  // a thread that is new to the request begins `at`, or now.
  static ThreadContext* lock_thread(const Request& request, MonotonicTime at = {}) noexcept;
  // Why there was none: ok for a request that is not recorded.
  static Errc missing(const Request& request);

  // ---- Fixed
  const trace::Recorder& recorder() const noexcept { return recorder_; }
  // The request's span.
  const trace::SpanContext& root() const noexcept { return root_; }
  std::string_view tracestate() const noexcept { return tracestate_; }
  bool copy() const noexcept { return copy_; }
  bool by_id() const noexcept { return by_id_; }
  const std::string& rid() const noexcept { return rid_; }
  const std::string& module() const noexcept { return module_; }
  // The level in force for it, now.
  Level level() const noexcept {
    if (!module_wanted(module_index_) || !recorder_.recording()) return kOff;
    const std::uint8_t own = level_.load(std::memory_order_relaxed);
    if (own != kFollowProcess) [[unlikely]]
      return own;
    return level_in_force.load(std::memory_order_relaxed);
  }
  // Whether a call of that level is recorded.
  bool wants(Level of_call) const noexcept {
    const Level in_force = level();
    return in_force != kOff && of_call <= in_force;
  }
  // For another thread's span.
  trace::SpanId id_for_thread() noexcept;
  std::int64_t given_or_now(MonotonicTime at) const noexcept {
    return (at == MonotonicTime{} && recorder_.recording() ? recorder_.now() : at)
        .time_since_epoch()
        .count();
  }
  // The request's span will be exported: something under it was.
  void announce() noexcept;
  bool announced() const noexcept { return announced_.load(std::memory_order_relaxed); }
  void set_level(std::uint8_t level) noexcept { level_.store(level, std::memory_order_relaxed); }

  // ---- Under the lock

  // Its end has begun, on some thread, which lets go of the lock for each of the request's threads.
  bool ending() const noexcept { return ending_; }
  // False if it had begun already.
  bool begin_ending() noexcept { return !std::exchange(ending_, true); }
  void add_thread(ThreadContext& thread) noexcept;
  // False if somebody else took it out already.
  bool remove_thread(const ThreadContext& thread) noexcept;
  ThreadContext* first_thread() const noexcept { return threads_; }
  // What a new thread's first slice links to: the last slice of the thread that ended last, else
  // what came in.
  const trace::SpanContext& previous() const noexcept { return previous_; }
  void keep_previous(const trace::SpanContext& previous) noexcept {
    if (previous.valid()) previous_ = previous;
  }
  // Threads of a request that is only passed on have no contexts: they are counted.
  void join_relay() noexcept { ++relay_threads_; }
  // True for the last one.
  bool leave_relay() noexcept { return --relay_threads_ == 0; }
  void add_to_root(Attributes attributes) { attributes_.add(attributes); }
  PropagateContext propagate(const trace::SpanContext& previous) const;
  // For the other nodes of its room.
  PropagateContext propagate_room(const trace::SpanContext& previous) const;
  // Between begin() and end(); from any thread.
  bool alive() const noexcept { return alive_.load(std::memory_order_acquire); }
  std::int64_t touched_ns() const noexcept;
  // Writes the request's span, unless it is a copy, and forgets everything.
  void end(std::int64_t at_ns, Attributes attributes, Errc misuse);

 private:
  void begin_room(const RequestBegin& begin);
  void begin_root(const RequestBegin& begin);
  void make_name(std::string_view role);
  void begin_copy();
  void write_root(std::int64_t at_ns, Attributes attributes, Errc misuse);
  void write_room(std::int64_t at_ns);

  trace::Recorder recorder_;
  // Of the room's span, if this request is its first.
  trace::Recorder room_recorder_;
  // What the request's span stands under: its room's, else the caller's.
  const trace::Context& above() const noexcept { return under_room_ ? room_ : received_.request; }

  trace::Context room_;
  trace::SpanContext root_;
  trace::SpanContext previous_;
  trace::SpanId decided_id_;  // of a copy's first thread: what the sampler was asked about
  std::string rid_;
  std::string name_;
  std::string module_;
  std::string module_shown_;  // as an attribute; only where the request's span is recorded
  std::string room_name_;
  std::string tracestate_;
  PropagateContext received_;
  std::int64_t start_ns_ = 0;
  std::uint32_t relay_threads_ = 0;
  std::uint8_t module_index_ = 0;
  bool copy_ = false;
  bool by_id_ = false;
  std::atomic<bool> alive_{false};
  bool ending_ = false;
  bool under_room_ = false;
  std::int64_t begun_ns_ = 0;
  std::atomic<bool> announced_{false};
  std::atomic<std::uint8_t> level_{kFollowProcess};
  Saved attributes_;
  ThreadContext* threads_ = nullptr;
};

}  // namespace spanwire::journey
