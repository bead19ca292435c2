// Request: one request's life inside an engine, told by slices.  SGLang's model: a request has a
// span, under it a span per thread that works on it, under those the slices; each slice directly
// under its thread links to the one before, over threads and processes.
//
//   journey::set_thread_info("scheduler", {.tp = 0});
//   journey::Request request = journey::start_request({.rid = rid, .role = "decode"});
//   request.slice_start("prefill_forward", journey::kImportant);
//   request.slice_end("prefill_forward", journey::kImportant);
//   request.finish();
//
// Where a function takes a time, zero means now.  Spans are named and described as SGLang does it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/errc.hpp"
#include "spanwire/journey/propagate.hpp"
#include "spanwire/journey/settings.hpp"
#include "spanwire/trace/attribute.hpp"
#include "spanwire/trace/context.hpp"
#include "spanwire/trace/recorder.hpp"

namespace spanwire::journey {

class RequestState;
class ThreadContext;

using Attributes = std::span<const trace::Attribute>;

// All borrowed until the call returns.
struct RequestOptions {
  // Its text up to the last underscore, a tokenizer's number, is left out of names.
  std::string_view rid;
  // Of a request that is split in prefill and decode; 0 is no room.
  std::uint64_t bootstrap_room = 0;
  // "unified" and "null" stand for none.
  std::string_view role = "unified";
  // Filtered by set_trace_modules(), unless empty.
  std::string_view module{};
  // The caller's, as extracted from its headers: external_trace_header.
  const trace::Context* parent = nullptr;
  // Zero: now.
  MonotonicTime at{};
};

struct SliceEnd {
  Level level = kImportant;
  MonotonicTime at{};
  Attributes attributes{};
  // A new anonymous slice begins at the same time.
  bool auto_next_anonymous = false;
  // It was the last slice of the request in this thread; wins over auto_next_anonymous.
  bool thread_finish = false;
};

// A slice that is over: all of it in one call.  Without a start it is the moment of its end.
struct Slice {
  trace::Key name;
  Level level = kImportant;
  MonotonicTime start{};
  MonotonicTime end{};
  Attributes attributes{};
  std::span<const trace::WholeEvent> events{};
  bool thread_finish = false;
};

// A handle: a value that refers to a context of one request in one thread, without a look-up.  The
// default is the null object, on which every call does nothing.  A handle whose context has ended
// is recognised: calls do nothing, counted as Errc::unknown_request.  One thread at a time per
// context; further threads get contexts of their own by copy_for_thread() or attach_request().
//
// Functions that return Errc return ok unless strict (misuse.hpp).  None fails, blocks, or
// allocates on the heap once memory is warm.
class Request {
 public:
  Request() noexcept = default;

  // False for the null object, and for a request that is only passed on.
  bool recording() const noexcept { return recording_; }

  // ---- Slices

  Errc slice_start(trace::Key name, Level level = kImportant, MonotonicTime at = {}) {
    return recording_ ? start_slice(name, level, at, false) : Errc::ok;
  }
  // A slice that is named at its end.  Not inside of another anonymous one.
  Errc anonymous_start(MonotonicTime at = {}, Level level = kImportant) {
    return recording_ ? start_slice({}, level, at, true) : Errc::ok;
  }
  // Ends the innermost open slice.
  Errc slice_end(trace::Key name, const SliceEnd& end = {}) {
    return recording_ || end.thread_finish ? end_slice(name, end) : Errc::ok;
  }
  Errc slice_end(trace::Key name, Level level, MonotonicTime at = {}) {
    return recording_ ? end_slice(name, {.level = level, .at = at}) : Errc::ok;
  }
  Errc slice(const Slice& slice) {
    return recording_ || slice.thread_finish ? add_slice(slice) : Errc::ok;
  }
  // Bound by its time: it goes to the slice that ends first with start <= at < end, also if that
  // is told later; what is left over goes to the thread.
  Errc event(trace::Key name, Level level = kImportant, MonotonicTime at = {},
             Attributes attributes = {}) {
    return recording_ ? add_event(name, level, at, attributes) : Errc::ok;
  }

  // ---- Attributes, of texts that are copied

  // Of the innermost open slice; without one they go to the thread, counted.
  Errc set_slice(Attributes attributes) { return recording_ ? add_to_slice(attributes) : Errc::ok; }
  Errc set_thread(Attributes attributes) {
    return recording_ ? add_to_thread(attributes) : Errc::ok;
  }
  // Where the request was started; a copy does not have its span, and counts root_of_copy.
  Errc set_root(Attributes attributes) { return recording_ ? add_to_root(attributes) : Errc::ok; }

  // ---- Ends

  // The request is over: ends all of its threads' spans and its own.  In the process that started
  // it.  Slices that are still open are closed, marked and counted.
  Errc finish(MonotonicTime at = {}, Attributes attributes = {});
  // Closes the open slices and the thread's span; with `information` that is an error.
  Errc abort(MonotonicTime at = {}, Attributes information = {});

  // ---- Hand-over

  // For another process, or for another thread by the request's id.  Of a request that is not
  // traced here what came in.  Where the thread's part is over, its last slice is the one to link
  // to.
  PropagateContext propagate() const;
  // For another thread of this process: the same request, a context that belongs to the thread that
  // calls rebuild_thread_context() on it, or uses it first: its span begins with its first slice.
  Request copy_for_thread() const;
  // The thread's span begins now.
  Errc rebuild_thread_context(MonotonicTime at = {});
  // For calls that are made on behalf of the request: the innermost open slice as parent.
  trace::Context context() const;

  // Ends what is not over yet, marked and counted as thread_left_open.
  void leave_open() const;

  // ---- Run time

  // Of this request alone, in this process; nothing: the level of the process.
  void set_level(std::optional<Level> level);

 private:
  friend class RequestState;
  Request(RequestState& request, std::uint32_t generation) noexcept
      : request_(&request), request_generation_(generation) {}

  Errc start_slice(trace::Key name, Level level, MonotonicTime at, bool anonymous);
  Errc end_slice(trace::Key name, const SliceEnd& end);
  Errc add_slice(const Slice& slice);
  Errc add_last_slice(const Slice& slice);
  Errc add_event(trace::Key name, Level level, MonotonicTime at, Attributes attributes);
  Errc add_to_slice(Attributes attributes);
  Errc add_to_thread(Attributes attributes);
  Errc add_to_root(Attributes attributes);
  template <class Work>
  Errc with_thread(const Work& work, MonotonicTime at = {}) const;
  template <class Work>
  Errc with_last_slice(bool finishes, const Work& work, MonotonicTime at = {}) const;
  Errc end_relay() const;
  PropagateContext propagate_with_innermost(trace::SpanContext* innermost) const;

  RequestState* request_ = nullptr;
  ThreadContext* thread_ = nullptr;
  std::uint32_t request_generation_ = 0;
  std::uint32_t thread_generation_ = 0;
  bool recording_ = false;
};

// Starts a request in this process, with a context for this thread.  Its end is finish().
Request start_request(const RequestOptions& options);

// Takes a request over that was started elsewhere, with a context for this thread.  Its end is that
// of its last thread here.  `rid` may be empty; it is for people, and for the functions by id.
Request attach_request(const PropagateContext& from, std::string_view rid = {},
                       std::string_view module = {}, MonotonicTime at = {});

// A request that ends with a scope at the latest: what was not finished by then is left open.
class ScopedRequest {
 public:
  explicit ScopedRequest(Request request) noexcept : request_(request) {}
  ScopedRequest(const ScopedRequest&) = delete;
  ScopedRequest& operator=(const ScopedRequest&) = delete;
  ~ScopedRequest();

  Request& operator*() noexcept { return request_; }
  Request* operator->() noexcept { return &request_; }

 private:
  Request request_;
};

}  // namespace spanwire::journey
