// One request of HTTP/1, from its first byte to its answer.  Pure: no socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tools/receive/receiver.hpp"

namespace spanwire::tools {

// Of the request line and the headers together; of the trailers too.
inline constexpr std::size_t kHeadBytesMax = 16u << 10;

struct Http1Answer {
  std::string text;    // all of it
  bool close = false;  // no other request can follow
};

class Http1Request {
 public:
  explicit Http1Request(Receiver& receiver) : receiver_(receiver) {}
  ~Http1Request() { receiver_.release(body_.size()); }
  Http1Request(const Http1Request&) = delete;
  Http1Request& operator=(const Http1Request&) = delete;

  // Takes what belongs to it and returns how much that is.
  std::size_t feed(std::string_view bytes);
  bool has_begun() const noexcept { return state_ != State::head || !head_.empty(); }
  // It has all come, or will not be listened to any longer: answer() is due.
  bool is_over() const noexcept { return state_ == State::over; }
  // True once, when the client waits for a word before it sends the body.
  bool take_expectation() noexcept;
  Http1Answer answer();

 private:
  enum class State : std::uint8_t {
    head,
    body,        // of a length that is known
    chunk_size,  // the line before a chunk
    chunk,       // and its end of line
    trailers,
    over,
  };
  struct Failure {
    int status;
    std::string why;
  };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  std::size_t feed_chunk(std::string_view bytes);
  std::optional<std::string> take_line(std::string_view& bytes);
  void begin_chunk(const std::string& line);
  void read_head();
  bool read_request_line(std::string_view line);
  bool read_header(std::string_view line);
  void begin_body();
  void keep(std::string_view bytes);
  void break_off(int status, std::string why);

  Http1Answer explain();
  Http1Answer take();
  Http1Answer reply(int status, std::string_view type, std::string_view body,
                    std::string_view more_headers = {}) const;
  Http1Answer refuse(int status, int code, const std::string& why) const;
  Http1Answer refuse_in_words(int status, const std::string& why,
                              std::string_view more_headers = {}) const;

  Receiver& receiver_;
  State state_ = State::head;
  std::string head_;
  std::string method_;
  std::string path_;
  std::string content_type_;
  std::string encoding_;
  std::string line_;  // of a chunk's size or a trailer, as far as it has come
  std::string body_;
  std::optional<std::uint64_t> length_;
  std::uint64_t left_ = 0;  // of the body or the chunk at hand
  std::size_t trailer_bytes_ = 0;
  bool chunked_ = false;
  bool keeps_alive_ = true;
  bool expects_ = false;
  bool too_large_ = false;
  bool busy_ = false;
  std::optional<Failure> failure_;
};

}  // namespace spanwire::tools
