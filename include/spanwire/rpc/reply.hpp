// Reply: what a call that went well returns.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/base/slice.hpp"

namespace spanwire::rpc {

// Headers as names and values, names in lower case.  Looks up without regard to case; a name stands
// once.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> items);

  // Replaces a value of the same name.
  void set(std::string_view name, std::string_view value);
  std::optional<std::string_view> get(std::string_view name) const noexcept;
  bool empty() const noexcept { return items_.empty(); }
  std::size_t size() const noexcept { return items_.size(); }
  auto begin() const noexcept { return items_.begin(); }
  auto end() const noexcept { return items_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// Reads an encoded block (proto-spec/headers.md); members that are damaged are left out.
Headers parse_headers(ByteView block);

// A value that owns all it shows.  One thread at a time.
class Reply {
 public:
  Reply() noexcept = default;

  const Slice& payload() const& noexcept { return payload_; }
  Slice payload() && noexcept { return std::move(payload_); }
  // Parsed on each call: keep the result when several are looked up.  Of a damaged block, what
  // could be read ("spanwire.rpc.client.bad_header_blocks").
  Headers headers() const;
  // The handler's duration as the server measured it.
  std::chrono::nanoseconds handler_time() const noexcept { return handler_time_; }

 private:
  friend class OutgoingCall;
  Slice payload_;
  Slice header_block_;
  std::chrono::nanoseconds handler_time_{};
};

}  // namespace spanwire::rpc
