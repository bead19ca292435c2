// One client's connection of HTTP/1.1: a request, its answer, the next request.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tools/receive/connection.hpp"
#include "tools/receive/http1_request.hpp"

namespace spanwire::tools {

class Http1Connection final : public Connection,
                              public std::enable_shared_from_this<Http1Connection> {
 public:
  Http1Connection(asio::ip::tcp::socket socket, Receiver& receiver, Closed closed);

  void start() override { read(); }
  void say_goodbye() override;
  void close() override;
  bool is_busy() const override { return writing_ || ending_ || request_->has_begun(); }
  MonotonicTime since() const override { return since_; }

 private:
  void read();
  void take(std::string_view bytes);
  void write(std::string text);
  void written();
  void begin_request();

  asio::ip::tcp::socket socket_;
  Receiver& receiver_;
  Closed closed_;
  std::optional<Http1Request> request_;
  std::array<char, 16'384> in_;
  std::string_view rest_;  // of in_, behind the request that is being answered
  std::string out_;
  bool writing_ = false;
  bool continuing_ = false;  // what is written is no answer yet
  bool last_ = false;        // no request follows the one at hand
  bool ending_ = false;      // all is said; what still comes is thrown away
  MonotonicTime since_;
};

}  // namespace spanwire::tools
