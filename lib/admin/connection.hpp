// One client of a MetricsListener.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "lib/admin/http_request.hpp"
#include "spanwire/base/clock.hpp"

namespace spanwire::admin {

// Made with a socket that does not block, which it closes.  One thread.
class Connection {
 public:
  // The whole answer to a request.
  using Answer = std::function<std::string(const HttpRequest&)>;

  Connection(int descriptor, MonotonicTime deadline) noexcept
      : descriptor_(descriptor), deadline_(deadline) {}
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  MonotonicTime deadline() const noexcept { return deadline_; }
  // What poll() is to wait for.
  short events() const noexcept;
  // After that: as far as it goes without waiting.  False when it is over.
  bool step(const Answer& answer, std::size_t request_bytes_max);

 private:
  bool read(const Answer& answer, std::size_t request_bytes_max);
  bool write();
  bool discard();

  const int descriptor_;
  const MonotonicTime deadline_;
  std::string in_;
  std::string out_;
  std::size_t written_ = 0;
  std::size_t discarded_ = 0;
  bool answered_ = false;  // all is written: only the client's end is waited for
};

}  // namespace spanwire::admin
