#include "tools/receive/http1_connection.hpp"

#include <utility>

namespace spanwire::tools {
namespace {

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

}  // namespace

Http1Connection::Http1Connection(asio::ip::tcp::socket socket, Receiver& receiver, Closed closed)
    : socket_(std::move(socket)), receiver_(receiver), closed_(std::move(closed)) {
  begin_request();
}

void Http1Connection::begin_request() {
  request_.emplace(receiver_);
  since_ = now();
}

void Http1Connection::read() {
  socket_.async_read_some(asio::buffer(in_),
                          [self = shared_from_this()](const std::error_code& error, std::size_t n) {
                            if (error) return self->close();
                            self->take({self->in_.data(), n});
                          });
}

void Http1Connection::take(std::string_view bytes) {
  if (ending_) return read();
  const bool idle = !request_->has_begun();
  rest_ = bytes.substr(request_->feed(bytes));
  if (idle && request_->has_begun()) since_ = now();
  if (request_->is_over()) {
    Http1Answer answer = request_->answer();
    last_ = last_ || answer.close;
    return write(std::move(answer.text));
  }
  if (request_->take_expectation()) {
    continuing_ = true;
    return write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  read();
}

void Http1Connection::write(std::string text) {
  out_ = std::move(text);
  writing_ = true;
  asio::async_write(socket_, asio::buffer(out_),
                    [self = shared_from_this()](const std::error_code& error, std::size_t) {
                      self->writing_ = false;
                      if (error) return self->close();
                      self->written();
                    });
}

void Http1Connection::written() {
  if (std::exchange(continuing_, false)) return read();
  begin_request();
  if (last_) {
    // Closed at once, a client that still sends would be told of a reset, not of the answer.
    ending_ = true;
    std::error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    return read();
  }
  const std::string_view rest = std::exchange(rest_, {});
  rest.empty() ? read() : take(rest);
}

void Http1Connection::say_goodbye() {
  last_ = true;
  if (!is_busy()) close();
}

void Http1Connection::close() {
  std::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  if (const Closed closed = std::exchange(closed_, {})) closed(this);
}

}  // namespace spanwire::tools
