// One answer in HTTP/1.1, as it comes in: RFC 9112.  Pure: no socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/otlp/http_answer.hpp"
#include "spanwire/base/result.hpp"

namespace spanwire::otlp {

// Of the status line and the header fields together; of the trailer fields too.
inline constexpr std::size_t kAnswerHeadBytesMax = 64u << 10;
// Of the line before a chunk.
inline constexpr std::size_t kChunkLineBytesMax = 4u << 10;

// Takes any split of the input.  Answers that are none yet (100 to 199) are passed over.
class Http1Reader {
 public:
  // Takes what belongs to the answer; true when that is whole.  Fails, for good, with
  // export_answer_malformed: not HTTP, or too long.  What follows a whole answer makes the
  // connection one that is not kept.
  Result<bool> take(std::string_view bytes);
  // The connection has ended.  Fails with connection_reset if that was too early.
  Result<void> end() const;

  bool begun() const noexcept { return begun_; }
  // Of a whole answer: another request can follow.
  bool keeps_connection() const noexcept { return keeps_alive_; }
  HttpAnswer& answer() noexcept { return answer_; }

 private:
  enum class State : std::uint8_t {
    head,
    body,        // of a length that is known
    chunk_size,  // the line before a chunk
    chunk,       // and its end of line
    trailers,
    until_end,  // of the connection
    whole,
  };

  Result<void> take_head(std::string_view& bytes);
  Result<void> read_head();
  Result<void> read_status(std::string_view line);
  Result<void> read_field(std::string_view line);
  Result<void> read_length(std::string_view value);
  Result<void> begin_body();
  Result<void> take_body(std::string_view& bytes);
  Result<void> take_chunked(std::string_view& bytes);
  Result<void> read_chunk_line();
  Result<bool> take_line(std::string_view& bytes, std::size_t bytes_max);
  Result<void> keep(std::string_view bytes);

  State state_ = State::head;
  bool begun_ = false;
  bool keeps_alive_ = true;
  bool chunked_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t left_ = 0;  // of the body or the chunk at hand
  std::size_t trailer_bytes_ = 0;
  std::string head_;
  std::string line_;  // of a chunk's size or a trailer, as far as it has come
  HttpAnswer answer_;
};

}  // namespace spanwire::otlp
