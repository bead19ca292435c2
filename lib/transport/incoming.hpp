// What an Incoming holds.
#pragma once

#include <atomic>
#include <memory>

#include "spanwire/transport/listen.hpp"

namespace spanwire::transport {

// Counts the open links of a listener, on whatever thread they end.
using LinkCount = std::shared_ptr<std::atomic<std::size_t>>;

// One counted link: from the accept to the end of the connection.
class LinkLease {
 public:
  LinkLease() noexcept = default;
  explicit LinkLease(LinkCount count) noexcept : count_(std::move(count)) {
    count_->fetch_add(1, std::memory_order_relaxed);
  }
  LinkLease(LinkLease&& other) noexcept = default;
  LinkLease& operator=(LinkLease&& other) noexcept {
    std::swap(count_, other.count_);
    return *this;
  }
  ~LinkLease() {
    if (count_ != nullptr) count_->fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  LinkCount count_;
};

struct Incoming::Connection {
  virtual ~Connection() = default;
  virtual Loop* home() const noexcept { return nullptr; }
  virtual Result<std::unique_ptr<Link>> open(Loop& loop) = 0;
};

}  // namespace spanwire::transport
