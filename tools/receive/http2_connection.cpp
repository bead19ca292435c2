#include "tools/receive/http2_connection.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace spanwire::tools {
namespace {

constexpr std::uint32_t kStreamsMax = 100;
constexpr std::uint32_t kHeaderListBytesMax = 16u << 10;
constexpr std::uint32_t kStreamWindow = 1u << 20;
constexpr std::int32_t kConnectionWindow = 4 << 20;
constexpr std::size_t kWriteBytes = 64u << 10;  // at a time
constexpr std::size_t kFirstBytes = 24;         // as many as HTTP/2's preface has

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));  // nghttp2 copies it
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

Http2Connection::Http2Connection(asio::ip::tcp::socket socket, Receiver& receiver, Closed closed)
    : socket_(std::move(socket)),
      receiver_(receiver),
      closed_(std::move(closed)),
      session_(make_session(this)),
      since_(now()) {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kStreamsMax},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kHeaderListBytesMax},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
  };
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

nghttp2_session* Http2Connection::make_session(Http2Connection* self) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session* session = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, &on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &on_stream_close);
  const int failed = nghttp2_session_server_new(&session, callbacks, self);
  nghttp2_session_callbacks_del(callbacks);
  if (failed != 0) throw std::bad_alloc();
  return session;
}

int Http2Connection::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  auto& connection = *static_cast<Http2Connection*>(self);
  if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    connection.streams_.try_emplace(frame->hd.stream_id, connection.receiver_);
  }
  return 0;
}

int Http2Connection::on_header(nghttp2_session*, const nghttp2_frame* frame,
                               const std::uint8_t* name, std::size_t name_size,
                               const std::uint8_t* value, std::size_t value_size, std::uint8_t,
                               void* self) {
  Stream* const stream = static_cast<Http2Connection*>(self)->find(frame->hd.stream_id);
  if (stream == nullptr) return 0;
  // As RFC 9113 counts them.
  stream->header_bytes += name_size + value_size + 32;
  // Resets the stream.
  if (stream->header_bytes > kHeaderListBytesMax) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  stream->call.add_header(text_of(name, name_size), text_of(value, value_size));
  return 0;
}

int Http2Connection::on_data(nghttp2_session*, std::uint8_t, std::int32_t number,
                             const std::uint8_t* data, std::size_t size, void* self) {
  if (Stream* stream = static_cast<Http2Connection*>(self)->find(number)) {
    stream->call.add_body(text_of(data, size));
  }
  return 0;
}

int Http2Connection::on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
  const bool body = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
  if (!body || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  auto& connection = *static_cast<Http2Connection*>(self);
  if (Stream* stream = connection.find(frame->hd.stream_id)) {
    connection.respond(frame->hd.stream_id, *stream);
  }
  return 0;
}

int Http2Connection::on_stream_close(nghttp2_session*, std::int32_t stream, std::uint32_t,
                                     void* self) {
  static_cast<Http2Connection*>(self)->streams_.erase(stream);
  return 0;
}

ssize_t Http2Connection::read_body(nghttp2_session* session, std::int32_t number, std::uint8_t* out,
                                   std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                                   void* self) {
  Stream* const stream = static_cast<Http2Connection*>(self)->find(number);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const std::string_view rest = std::string_view(stream->answer.body).substr(stream->sent);
  const std::size_t count = std::min(size, rest.size());
  std::copy_n(rest.data(), count, out);
  stream->sent += count;
  if (count == rest.size()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv trailers[] = {field("grpc-status", "0")};
    nghttp2_submit_trailer(session, number, trailers, std::size(trailers));
  }
  return static_cast<ssize_t>(count);
}

Http2Connection::Stream* Http2Connection::find(std::int32_t stream) {
  const auto known = streams_.find(stream);
  return known != streams_.end() ? &known->second : nullptr;
}

void Http2Connection::respond(std::int32_t number, Stream& stream) {
  stream.answer = stream.call.answer();
  since_ = now();
  const GrpcAnswer& answer = stream.answer;
  const std::string status = std::to_string(answer.http_status);
  const std::string code = std::to_string(answer.code);
  const std::string message = grpc_message_text(answer.message);
  std::vector<nghttp2_nv> headers = {field(":status", status),
                                     field("content-type", "application/grpc"),
                                     field("grpc-accept-encoding", "identity,gzip")};
  if (answer.code != 0) {
    headers.push_back(field("grpc-status", code));
    headers.push_back(field("grpc-message", message));
    nghttp2_submit_response(session_.get(), number, headers.data(), headers.size(), nullptr);
    return;
  }
  nghttp2_data_provider body{};
  body.read_callback = &read_body;
  nghttp2_submit_response(session_.get(), number, headers.data(), headers.size(), &body);
}

// Nothing is said before it is clear who is there: HTTP/1 would take our settings for an answer.
void Http2Connection::start() { read(); }

void Http2Connection::read() {
  socket_.async_read_some(asio::buffer(in_),
                          [self = shared_from_this()](const std::error_code& error, std::size_t n) {
                            if (error) return self->close();
                            self->take({self->in_.data(), n});
                          });
}

bool Http2Connection::is_busy() const {
  return writing_ || !streams_.empty() || (!first_.empty() && first_.size() < kFirstBytes);
}

void Http2Connection::take(std::string_view bytes) {
  if (!is_busy()) since_ = now();
  if (first_.size() < kFirstBytes) first_ += bytes.substr(0, kFirstBytes - first_.size());
  const ssize_t taken = nghttp2_session_mem_recv(
      session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (taken < 0) {
    if (taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC) explain_foreign();
    closing_ = true;
  } else {
    read();
  }
  flush();
}

void Http2Connection::explain_foreign() {
  session_.reset();
  if (first_.starts_with("\x16\x03")) {
    return receiver_.refuse("gRPC: somebody speaks TLS; this port is in clear text");
  }
  if (first_.find(" /") == std::string::npos) {
    return receiver_.refuse("gRPC: somebody speaks neither gRPC nor HTTP");
  }
  receiver_.refuse("gRPC: somebody speaks HTTP/1 to the port of OTLP over gRPC");
  constexpr std::string_view kWhy = "this is OTLP over gRPC; OTLP over HTTP has another port\n";
  out_ =
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
      "Content-Length: " +
      std::to_string(kWhy.size()) + "\r\n\r\n" + std::string(kWhy);
}

void Http2Connection::flush() {
  if (writing_ || !socket_.is_open()) return;
  while (session_ && out_.size() < kWriteBytes) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_.get(), &bytes);
    if (count <= 0) break;
    out_.append(text_of(bytes, static_cast<std::size_t>(count)));
  }
  if (out_.empty()) {
    const bool over = session_ && nghttp2_session_want_read(session_.get()) == 0 &&
                      nghttp2_session_want_write(session_.get()) == 0;
    if (closing_ || over) close();
    return;
  }
  writing_ = true;
  asio::async_write(socket_, asio::buffer(out_),
                    [self = shared_from_this()](const std::error_code& error, std::size_t) {
                      self->writing_ = false;
                      self->out_.clear();
                      if (error) return self->close();
                      self->flush();
                    });
}

void Http2Connection::say_goodbye() {
  if (!session_) return;
  nghttp2_session_terminate_session(session_.get(), NGHTTP2_NO_ERROR);
  flush();
}

void Http2Connection::close() {
  std::error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  if (const Closed closed = std::exchange(closed_, {})) closed(this);
}

}  // namespace spanwire::tools
