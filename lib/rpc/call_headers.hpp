// The headers block of requests and replies: written here and nowhere else.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"
#include "spanwire/rpc/reply.hpp"
#include "spanwire/trace/context.hpp"

namespace spanwire::rpc {

inline constexpr std::size_t kHeaderRoomBytes = 1024;

// One block, on the stack; larger ones take memory.  Short-lived, one thread.
class CallHeaders {
 public:
  CallHeaders() noexcept {}  // NOLINT(modernize-use-equals-default): leaves the room as it is
  CallHeaders(const CallHeaders&) = delete;
  CallHeaders& operator=(const CallHeaders&) = delete;

  // `timeout` zero for none.  `sampled_bit_only`: the peer is Dynamo's.
  void write_request(const trace::Context& context, const Headers* extra, int attempt,
                     std::chrono::nanoseconds timeout, bool sampled_bit_only);
  // Of a one-way message.  `numbered`: the block begins with room for write_sequence().
  void write_message(const trace::Context& context, const Headers& extra, bool numbered);
  // Nothing to say gives an empty view.
  void write_reply(const Headers* extra, std::chrono::milliseconds retry_after);

  bool failed() const noexcept { return error_.code() != Errc::ok; }
  const Error& error() const noexcept { return error_; }
  ByteView view() const noexcept { return view_; }

 private:
  ByteView view_;
  Buffer large_;
  Error error_;
  std::array<std::byte, kHeaderRoomBytes> room_;
};

// Which message of which row this is: proto-spec/multipart.md, section 3.
struct Sequence {
  std::uint64_t row = 0;
  std::uint64_t number = 0;
};
// As "row-number", 16 hexadecimal digits each.
inline constexpr std::size_t kSequenceBytes = 33;
// Where its text stands in a block that begins with it.
inline constexpr std::size_t kSequenceOffset = std::string_view("{\"spanwire-sequence\":\"").size();
void write_sequence(const Sequence& sequence, char* out) noexcept;
// Nothing if the text is no such thing.
std::optional<Sequence> parse_sequence(std::string_view text) noexcept;

// Reserved names and bad text are refused with invalid_argument that names the header.
Result<void> check_user_headers(const Headers& headers);
bool is_reserved_header(std::string_view name) noexcept;

// What spanwire-retry-after says, in milliseconds; 0 without one.
std::chrono::milliseconds retry_after_of(ByteView header_block);

}  // namespace spanwire::rpc
