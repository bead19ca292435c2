// One client's HTTP/2 connection: frames by nghttp2, calls by GrpcCall.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tools/receive/connection.hpp"
#include "tools/receive/grpc_call.hpp"

namespace spanwire::tools {

class Http2Connection final : public Connection,
                              public std::enable_shared_from_this<Http2Connection> {
 public:
  Http2Connection(asio::ip::tcp::socket socket, Receiver& receiver, Closed closed);
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  void start() override;
  // Tells the client to open no more calls.
  void say_goodbye() override;
  void close() override;
  bool is_busy() const override;
  MonotonicTime since() const override { return since_; }

 private:
  struct Stream {
    explicit Stream(Receiver& receiver) : call(receiver) {}
    GrpcCall call;
    std::size_t header_bytes = 0;
    GrpcAnswer answer;
    std::size_t sent = 0;
  };
  struct Free {
    void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
  };

  static nghttp2_session* make_session(Http2Connection* self);
  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* self);
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t stream, const std::uint8_t* data,
                     std::size_t size, void* self);
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int on_stream_close(nghttp2_session*, std::int32_t stream, std::uint32_t, void* self);
  static ssize_t read_body(nghttp2_session*, std::int32_t stream, std::uint8_t* out,
                           std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                           void* self);

  Stream* find(std::int32_t stream);
  void read();
  void take(std::string_view bytes);
  void explain_foreign();
  void respond(std::int32_t number, Stream& stream);
  void flush();

  asio::ip::tcp::socket socket_;
  Receiver& receiver_;
  Closed closed_;
  std::unique_ptr<nghttp2_session, Free> session_;
  std::unordered_map<std::int32_t, Stream> streams_;
  std::array<char, 16'384> in_;
  std::string out_;
  std::string first_;  // bytes: who is it that speaks no HTTP/2
  bool writing_ = false;
  bool closing_ = false;  // once all is written
  MonotonicTime since_;
};

}  // namespace spanwire::tools
