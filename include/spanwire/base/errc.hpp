// Every cause of a failure that Spanwire reports, one enumerator a cause.
// Append, never renumber: the numbers are in logs and dashboards.
#pragma once

#include <cstdint>
#include <string_view>
#include <system_error>

namespace spanwire {

enum class Errc : std::uint16_t {
  ok = 0,
  // Calls and tasks.
  cancelled = 1,              // the caller or the peer gave the work up
  deadline_exceeded = 2,      // the call's deadline passed
  not_connected = 3,          // no channel is ready and the call does not wait for one
  connection_lost = 4,        // the connection broke while the call was under way
  would_deadlock = 5,         // a blocking call on a thread of the runtime
  forked = 6,                 // the object was made before a fork and is used in the child
  shutting_down = 7,          // the owner is being closed
  overloaded = 8,             // admission refused: running and queued work are at their limits
  draining = 9,               // the peer finishes what it has and takes no new call
  no_route = 10,              // the server has no handler for this path
  handler_failed = 11,        // the handler threw
  call_failed = 12,           // the peer answered with a status other than ok
  stream_closed = 13,         // the stream has ended; nothing more can be written or read
  queue_full = 14,            // a bounded queue has no room
  out_of_memory_budget = 15,  // bytes queued are at the connection's or the process's limit
  invalid_argument = 16,
  not_supported = 17,
  already_exists = 18,
  not_found = 19,
  broken_promise = 20,  // whoever was to complete the work went away without doing so
  // Bytes that are not a message.
  truncated = 40,  // the input ends inside a field
  path_too_long = 41,
  path_not_utf8 = 42,
  headers_too_long = 43,
  headers_not_json = 44,  // the block is not a JSON object
  headers_too_many = 45,  // more members than the limit
  payload_too_long = 46,
  trailing_bytes = 47,  // bytes behind the end of a message
  bad_preface = 48,
  reserved_bits_set = 49,
  unknown_flags = 50,
  frame_too_long = 51,
  frame_too_short = 52,
  bad_version = 53,
  bad_utf8 = 54,
  bad_escape = 55,
  headers_too_deep = 56,  // a value that is skipped is nested deeper than the limit
  control_character = 57,
  bad_number = 58,
  not_an_acknowledgement = 59,  // a v1 reply that is neither empty nor one of the known texts
  wrong_part_count = 60,        // a multipart message with too few or too many parts
  length_mismatch = 61,         // a length that differs from the bytes it speaks of
  bad_header_line = 62,         // a line of a NATS block that is no name and value
  // Protocol: valid frames at the wrong time.
  hello_expected = 80,
  hello_repeated = 81,
  bad_hello = 82,
  bad_stream_id = 83,     // an id of the wrong side, or beyond the agreed number of streams
  stream_in_use = 84,     // a request on a slot whose stream has not ended
  unexpected_frame = 85,  // a frame that this role or this state never receives
  data_after_end = 86,    // data behind the end flag or behind the reply
  credit_exceeded = 87,   // the peer sent more bytes than it was given credit for
  credit_overflow = 88,   // a window frame lifts credit beyond its bound
  bad_piece = 89,         // pieces add up to more, or less, than was announced
  pong_unexpected = 90,
  goaway_grew = 91,  // a second goaway accepts more than the first
  bad_status = 92,
  handshake_timeout = 93,
  ping_timeout = 94,  // the peer did not answer a ping in time
  idle_timeout = 95,
  frame_timeout = 96,            // a frame was begun and not finished in time
  naive_peer = 97,               // a feature that a peer without hello does not have
  peer_restarted = 98,           // the peer came back as another incarnation
  acknowledgement_timeout = 99,  // a v1 server has not answered a request in time
  // Transport.
  bad_address = 120,
  resolve_failed = 121,
  connect_failed = 122,
  connect_timeout = 123,
  peer_closed = 124,  // the peer closed the connection in good order
  connection_reset = 125,
  listen_failed = 126,
  read_failed = 128,
  write_failed = 129,
  write_timeout = 130,      // the peer does not read
  fault_injected = 131,     // a test's fault plan cut the link
  out_of_resources = 132,   // the system has no descriptor, socket or memory left
  security_mismatch = 133,  // one side wants an encrypted connection, the other does not
  security_refused = 134,   // the peer does not let our key in
  security_failed = 135,    // the handshake of keys failed: not the peer's key
  // Trace.
  traceparent_malformed = 160,
  traceparent_version_invalid = 161,
  trace_id_zero = 162,
  span_id_zero = 163,
  traceparent_repeated = 164,
  tracestate_malformed = 165,
  tracestate_too_many_members = 166,
  tracestate_duplicate_key = 167,
  tracestate_too_long = 168,
  baggage_malformed = 169,
  baggage_too_long = 170,
  baggage_too_many_members = 171,
  request_id_invalid = 172,
  b3_malformed = 173,
  uber_trace_id_malformed = 174,
  propagators_disagree = 175,  // two forms of context in one message name different spans
  // Export and files.
  export_failed = 200,
  export_timeout = 201,
  file_open_failed = 202,
  file_write_failed = 203,
  file_read_failed = 204,
  file_malformed = 205,
  file_permissions = 206,  // somebody who must not may read or change the file
  key_malformed = 207,
  key_published = 208,  // a key that documentation prints
  // Following requests through an engine.
  unknown_request = 220,       // no such request, or it is over
  thread_unregistered = 221,   // a thread without a name takes part in a request
  request_restarted = 222,     // a request is started under an id that is in use
  finish_of_copy = 223,        // a request is finished elsewhere than where it was started
  slices_left_open = 224,      // a request or a thread's part ended with open slices
  no_open_slice = 225,         // a slice is ended and none is open
  slice_name_mismatch = 226,   // a slice is ended with another name than it was started with
  slice_level_mismatch = 227,  // a slice is ended with another level than it was started with
  anonymous_nested = 228,      // an anonymous slice inside of another one
  event_without_slice = 229,   // an event while no slice is open
  thread_left_open = 230,      // a request or a thread's part was never ended
  no_thread_context = 231,     // the request has no context in this thread, or it is over
  slices_too_deep = 232,       // more slices inside of each other than the limit
  slice_ends_before_start = 233,
  bad_propagate_context = 234,  // what came with a handed-over request is no such context
  not_traced = 235,             // a peer that does not trace handed the request over
  too_many_requests = 236,      // more requests, or threads of requests, than the limit
  root_of_copy = 237,  // attributes of a request's span, elsewhere than where it was started
  // A request's journey, vLLM's model.
  journey_event_out_of_order = 240,  // before an event that must come first
  journey_event_repeated = 241,      // an event that comes once came again
  journey_event_missing = 242,       // the end came without an event that belongs to it
  journey_event_after_end = 243,
  journey_event_misplaced = 244,   // an event of the other span
  journey_time_backwards = 245,    // an event is earlier than the one before it
  journey_step_backwards = 246,    // the scheduler's step is lower than before
  journey_progress_lost = 247,     // fewer tokens or preemptions than before
  journey_schedule_kind = 248,     // RESUME without a preemption, or FIRST after one
  journey_left_open = 249,         // a request's journey was never ended
  journey_request_repeated = 250,  // a second journey of a request that is under way
  journey_context_missing = 251,   // a journey is to go on and its trace did not come along
  journey_header_invalid = 252,    // the header says neither that a journey is sampled nor nothing
  journey_split = 253,             // the spans of one request are in two traces
  journey_parent_wrong = 254,      // llm_core is not under llm_request
  journey_incomplete = 255,        // one of the two spans is missing
  journey_span_kind = 256,         // not server, or not internal
  journey_scope_unknown = 257,     // a scope of vLLM's that has no place in a journey
  // Export, over a network.
  export_refused = 300,           // the backend does not want the spans; sending again is no use
  export_partly_refused = 301,    // the backend took some spans of a batch and refused the others
  export_unavailable = 302,       // the backend asked to come back later, until time was up
  export_too_large = 303,         // one span alone is more than the backend takes
  export_answer_malformed = 304,  // an answer that no OTLP receiver gives
  export_tls_failed = 305,        // no secure connection to the backend
  // Reading traces back.
  query_failed = 320,           // the backend refuses the question
  query_timeout = 321,          // the backend does not answer in time
  answer_not_understood = 322,  // the backend says something else than it was asked
  otlp_malformed = 323,         // what was sent is no OTLP
};

// The enumerator's name as text, "deadline_exceeded"; "unknown" for a number of a later version.
std::string_view name(Errc code) noexcept;

// One sentence without a final dot, for people.
std::string_view describe(Errc code) noexcept;

// The category behind std::error_code; each code maps to its nearest std::errc as a condition.
const std::error_category& error_category() noexcept;

inline std::error_code make_error_code(Errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

}  // namespace spanwire

template <>
struct std::is_error_code_enum<spanwire::Errc> : std::true_type {};
