#include "spanwire/base/errc.hpp"

#include <algorithm>
#include <string>

namespace spanwire {
namespace {

struct Row {
  Errc code;
  std::string_view name;
  std::string_view description;
  std::errc condition;
};

// In the order of the numbers.
constexpr Row kRows[] = {
    {Errc::ok, "ok", "no error", std::errc{}},
    {Errc::cancelled, "cancelled", "the caller or the peer gave the work up",
     std::errc::operation_canceled},
    {Errc::deadline_exceeded, "deadline_exceeded", "the call's deadline passed",
     std::errc::timed_out},
    {Errc::not_connected, "not_connected", "no channel is ready and the call does not wait for one",
     std::errc::not_connected},
    {Errc::connection_lost, "connection_lost", "the connection broke while the call was under way",
     std::errc::connection_aborted},
    {Errc::would_deadlock, "would_deadlock", "a blocking call on a thread of the runtime",
     std::errc::resource_deadlock_would_occur},
    {Errc::forked, "forked", "the object was made before a fork and is used in the child",
     std::errc::operation_not_permitted},
    {Errc::shutting_down, "shutting_down", "the owner is being closed",
     std::errc::operation_canceled},
    {Errc::overloaded, "overloaded",
     "admission refused: running and queued work are at their limits",
     std::errc::resource_unavailable_try_again},
    {Errc::draining, "draining", "the peer finishes what it has and takes no new call",
     std::errc::resource_unavailable_try_again},
    {Errc::no_route, "no_route", "the server has no handler for this path",
     std::errc::function_not_supported},
    {Errc::handler_failed, "handler_failed", "the handler threw", std::errc::io_error},
    {Errc::call_failed, "call_failed", "the peer answered with a status other than ok",
     std::errc::io_error},
    {Errc::stream_closed, "stream_closed",
     "the stream has ended; nothing more can be written or read", std::errc::broken_pipe},
    {Errc::queue_full, "queue_full", "a bounded queue has no room", std::errc::no_buffer_space},
    {Errc::out_of_memory_budget, "out_of_memory_budget",
     "bytes queued are at the connection's or the process's limit", std::errc::no_buffer_space},
    {Errc::invalid_argument, "invalid_argument", "an argument is outside of what is allowed",
     std::errc::invalid_argument},
    {Errc::not_supported, "not_supported", "this is not supported here", std::errc::not_supported},
    {Errc::already_exists, "already_exists", "it exists already", std::errc::file_exists},
    {Errc::not_found, "not_found", "what was named does not exist",
     std::errc::no_such_file_or_directory},
    {Errc::broken_promise, "broken_promise",
     "whoever was to complete the work went away without doing so", std::errc::owner_dead},
    {Errc::truncated, "truncated", "the input ends inside a field", std::errc::bad_message},
    {Errc::path_too_long, "path_too_long", "the path is longer than the limit",
     std::errc::message_size},
    {Errc::path_not_utf8, "path_not_utf8", "the path is not UTF-8", std::errc::bad_message},
    {Errc::headers_too_long, "headers_too_long", "the header block is longer than the limit",
     std::errc::message_size},
    {Errc::headers_not_json, "headers_not_json", "the block is not a JSON object",
     std::errc::bad_message},
    {Errc::headers_too_many, "headers_too_many", "the header block has more members than the limit",
     std::errc::message_size},
    {Errc::payload_too_long, "payload_too_long", "the payload is longer than the limit",
     std::errc::message_size},
    {Errc::trailing_bytes, "trailing_bytes", "bytes behind the end of a message",
     std::errc::bad_message},
    {Errc::bad_preface, "bad_preface", "the connection did not begin with the preface",
     std::errc::bad_message},
    {Errc::reserved_bits_set, "reserved_bits_set", "reserved bits are set", std::errc::bad_message},
    {Errc::unknown_flags, "unknown_flags", "a frame has flags that are not known",
     std::errc::bad_message},
    {Errc::frame_too_long, "frame_too_long", "a frame is longer than the limit",
     std::errc::message_size},
    {Errc::frame_too_short, "frame_too_short", "a frame is too short for its type",
     std::errc::bad_message},
    {Errc::bad_version, "bad_version", "the version is not one we speak", std::errc::bad_message},
    {Errc::bad_utf8, "bad_utf8", "text is not UTF-8", std::errc::bad_message},
    {Errc::bad_escape, "bad_escape", "an escape in a string is malformed", std::errc::bad_message},
    {Errc::headers_too_deep, "headers_too_deep",
     "a value that is skipped is nested deeper than the limit", std::errc::bad_message},
    {Errc::control_character, "control_character", "a control character where none may be",
     std::errc::bad_message},
    {Errc::bad_number, "bad_number", "a number is malformed", std::errc::bad_message},
    {Errc::not_an_acknowledgement, "not_an_acknowledgement",
     "a v1 reply that is neither empty nor one of the known texts", std::errc::bad_message},
    {Errc::wrong_part_count, "wrong_part_count",
     "a multipart message has too few or too many parts", std::errc::bad_message},
    {Errc::length_mismatch, "length_mismatch", "a length differs from the bytes it speaks of",
     std::errc::bad_message},
    {Errc::hello_expected, "hello_expected", "another frame came before hello",
     std::errc::protocol_error},
    {Errc::hello_repeated, "hello_repeated", "a second hello came", std::errc::protocol_error},
    {Errc::bad_hello, "bad_hello", "the hello is malformed", std::errc::protocol_error},
    {Errc::bad_stream_id, "bad_stream_id",
     "an id of the wrong side, or beyond the agreed number of streams", std::errc::protocol_error},
    {Errc::stream_in_use, "stream_in_use", "a request on a slot whose stream has not ended",
     std::errc::protocol_error},
    {Errc::unexpected_frame, "unexpected_frame",
     "a frame that this role or this state never receives", std::errc::protocol_error},
    {Errc::data_after_end, "data_after_end", "data behind the end flag or behind the reply",
     std::errc::protocol_error},
    {Errc::credit_exceeded, "credit_exceeded",
     "the peer sent more bytes than it was given credit for", std::errc::protocol_error},
    {Errc::credit_overflow, "credit_overflow", "a window frame lifts credit beyond its bound",
     std::errc::protocol_error},
    {Errc::bad_piece, "bad_piece", "pieces add up to more, or less, than was announced",
     std::errc::protocol_error},
    {Errc::pong_unexpected, "pong_unexpected", "a pong that answers no ping",
     std::errc::protocol_error},
    {Errc::goaway_grew, "goaway_grew", "a second goaway accepts more than the first",
     std::errc::protocol_error},
    {Errc::bad_status, "bad_status", "a status that does not exist", std::errc::protocol_error},
    {Errc::handshake_timeout, "handshake_timeout", "the peer did not say hello in time",
     std::errc::timed_out},
    {Errc::ping_timeout, "ping_timeout", "the peer did not answer a ping in time",
     std::errc::timed_out},
    {Errc::idle_timeout, "idle_timeout", "the connection was idle for too long",
     std::errc::timed_out},
    {Errc::frame_timeout, "frame_timeout", "a frame was begun and not finished in time",
     std::errc::timed_out},
    {Errc::naive_peer, "naive_peer", "a feature that a peer without hello does not have",
     std::errc::not_supported},
    {Errc::peer_restarted, "peer_restarted", "the peer came back as another incarnation",
     std::errc::connection_aborted},
    {Errc::acknowledgement_timeout, "acknowledgement_timeout",
     "the peer has not acknowledged a request in time", std::errc::timed_out},
    {Errc::bad_address, "bad_address", "the address is malformed", std::errc::invalid_argument},
    {Errc::resolve_failed, "resolve_failed", "the name could not be resolved",
     std::errc::host_unreachable},
    {Errc::connect_failed, "connect_failed", "the peer could not be reached",
     std::errc::connection_refused},
    {Errc::connect_timeout, "connect_timeout", "the peer could not be reached in time",
     std::errc::timed_out},
    {Errc::peer_closed, "peer_closed", "the peer closed the connection in good order",
     std::errc::connection_aborted},
    {Errc::connection_reset, "connection_reset", "the peer reset the connection",
     std::errc::connection_reset},
    {Errc::listen_failed, "listen_failed", "the address could not be listened on",
     std::errc::address_not_available},
    {Errc::too_many_connections, "too_many_connections",
     "the listener has as many connections as it may", std::errc::too_many_files_open},
    {Errc::read_failed, "read_failed", "reading from the connection failed", std::errc::io_error},
    {Errc::write_failed, "write_failed", "writing to the connection failed", std::errc::io_error},
    {Errc::write_timeout, "write_timeout", "the peer does not read", std::errc::timed_out},
    {Errc::fault_injected, "fault_injected", "a test's fault plan cut the link",
     std::errc::connection_aborted},
    {Errc::out_of_resources, "out_of_resources",
     "the system has no descriptor, socket or memory left", std::errc::not_enough_memory},
    {Errc::traceparent_malformed, "traceparent_malformed", "the traceparent is malformed",
     std::errc::bad_message},
    {Errc::traceparent_version_invalid, "traceparent_version_invalid",
     "the traceparent has version ff", std::errc::bad_message},
    {Errc::trace_id_zero, "trace_id_zero", "the trace id is zero", std::errc::bad_message},
    {Errc::span_id_zero, "span_id_zero", "the span id is zero", std::errc::bad_message},
    {Errc::traceparent_repeated, "traceparent_repeated", "there is more than one traceparent",
     std::errc::bad_message},
    {Errc::tracestate_malformed, "tracestate_malformed", "the tracestate is malformed",
     std::errc::bad_message},
    {Errc::tracestate_too_many_members, "tracestate_too_many_members",
     "the tracestate has too many members", std::errc::bad_message},
    {Errc::tracestate_duplicate_key, "tracestate_duplicate_key", "a key is twice in the tracestate",
     std::errc::bad_message},
    {Errc::tracestate_too_long, "tracestate_too_long", "the tracestate is too long",
     std::errc::bad_message},
    {Errc::baggage_malformed, "baggage_malformed", "the baggage is malformed",
     std::errc::bad_message},
    {Errc::baggage_too_long, "baggage_too_long", "the baggage is too long", std::errc::bad_message},
    {Errc::baggage_too_many_members, "baggage_too_many_members", "the baggage has too many members",
     std::errc::bad_message},
    {Errc::request_id_invalid, "request_id_invalid", "the request id is not usable",
     std::errc::bad_message},
    {Errc::export_failed, "export_failed", "spans could not be exported", std::errc::io_error},
    {Errc::export_timeout, "export_timeout", "spans were not exported in time",
     std::errc::timed_out},
    {Errc::file_open_failed, "file_open_failed", "the file could not be opened",
     std::errc::io_error},
    {Errc::file_write_failed, "file_write_failed", "the file could not be written",
     std::errc::io_error},
    {Errc::file_read_failed, "file_read_failed", "the file could not be read", std::errc::io_error},
    {Errc::file_malformed, "file_malformed", "the file is malformed", std::errc::bad_message},
    {Errc::file_permissions, "file_permissions",
     "somebody who must not may read or change the file", std::errc::permission_denied},
    {Errc::key_malformed, "key_malformed", "the text is not a key", std::errc::invalid_argument},
    {Errc::key_published, "key_published",
     "the key is printed in public documents and protects nothing", std::errc::permission_denied},
    {Errc::unknown_request, "unknown_request", "no such request is alive in this process",
     std::errc::invalid_argument},
    {Errc::thread_unregistered, "thread_unregistered",
     "a thread without a name takes part in a request", std::errc::operation_not_permitted},
    {Errc::request_restarted, "request_restarted",
     "a request is started under an id that is in use", std::errc::file_exists},
    {Errc::finish_of_copy, "finish_of_copy",
     "a request is finished elsewhere than where it was started",
     std::errc::operation_not_permitted},
    {Errc::slices_left_open, "slices_left_open",
     "a request or a thread's part of it ended with open slices",
     std::errc::operation_not_permitted},
    {Errc::no_open_slice, "no_open_slice", "a slice is ended and none is open",
     std::errc::invalid_argument},
    {Errc::slice_name_mismatch, "slice_name_mismatch",
     "a slice is ended with another name than it was started with", std::errc::invalid_argument},
    {Errc::slice_level_mismatch, "slice_level_mismatch",
     "a slice is ended with another level than it was started with", std::errc::invalid_argument},
    {Errc::anonymous_nested, "anonymous_nested", "an anonymous slice begins inside of another one",
     std::errc::operation_not_permitted},
    {Errc::event_without_slice, "event_without_slice",
     "an event or an attribute while no slice is open", std::errc::operation_not_permitted},
    {Errc::thread_left_open, "thread_left_open",
     "a request or a thread's part of it was never ended", std::errc::timed_out},
    {Errc::no_thread_context, "no_thread_context",
     "the request has no context in this thread, or it is over", std::errc::invalid_argument},
    {Errc::slices_too_deep, "slices_too_deep", "more slices inside of each other than the limit",
     std::errc::argument_list_too_long},
    {Errc::slice_ends_before_start, "slice_ends_before_start", "a slice ends before it starts",
     std::errc::invalid_argument},
    {Errc::bad_propagate_context, "bad_propagate_context",
     "what came with a handed-over request is not a context of one", std::errc::bad_message},
    {Errc::not_traced, "not_traced", "the request was handed over by a peer that does not trace it",
     std::errc::no_message},
    {Errc::too_many_requests, "too_many_requests",
     "more requests, or threads of requests, than the limit",
     std::errc::resource_unavailable_try_again},
};

static_assert(std::is_sorted(std::begin(kRows), std::end(kRows),
                             [](const Row& a, const Row& b) { return a.code < b.code; }));

const Row* find(Errc code) noexcept {
  const Row* row = std::lower_bound(std::begin(kRows), std::end(kRows), code,
                                    [](const Row& r, Errc c) { return r.code < c; });
  return row != std::end(kRows) && row->code == code ? row : nullptr;
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "spanwire"; }
  std::string message(int value) const override {
    return std::string(describe(static_cast<Errc>(value)));
  }
  std::error_condition default_error_condition(int value) const noexcept override {
    const Row* row = find(static_cast<Errc>(value));
    if (row == nullptr) return {value, *this};
    return std::make_error_condition(row->condition);
  }
};

}  // namespace

std::string_view name(Errc code) noexcept {
  const Row* row = find(code);
  return row != nullptr ? row->name : "unknown";
}

std::string_view describe(Errc code) noexcept {
  const Row* row = find(code);
  return row != nullptr ? row->description : "an error that this version does not know";
}

const std::error_category& error_category() noexcept {
  // Never destroyed: errors are made and compared while the process ends.
  static const Category& category = *new Category;
  return category;
}

}  // namespace spanwire
