// One call of gRPC, from its headers to its answer.  Pure: no socket.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tools/receive/receiver.hpp"

namespace spanwire::tools {

struct GrpcAnswer {
  int http_status = 200;
  int code = 0;         // gRPC's
  std::string message;  // why, when the code is not 0
  std::string body;     // with its prefix, when the code is 0
};

class GrpcCall {
 public:
  explicit GrpcCall(Receiver& receiver) : receiver_(receiver) {}
  ~GrpcCall() { receiver_.release(body_.size()); }
  GrpcCall(const GrpcCall&) = delete;
  GrpcCall& operator=(const GrpcCall&) = delete;

  void add_header(std::string_view name, std::string_view value);
  // What is beyond the bounds is not kept.
  void add_body(std::string_view bytes);
  // The request has ended.
  GrpcAnswer answer();

 private:
  GrpcAnswer take();
  GrpcAnswer too_large() const;

  Receiver& receiver_;
  std::string path_;
  std::string content_type_;
  std::string encoding_;
  std::string body_;
  bool too_large_ = false;
  bool busy_ = false;
};

// As grpc-message wants it: printable ASCII, the rest percent-encoded.
std::string grpc_message_text(std::string_view text);

}  // namespace spanwire::tools
