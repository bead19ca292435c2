// What an Incoming holds.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

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

// How many links of a listener may be open.  On the listener's loop, but its leases.
class LinkLimit {
 public:
  explicit LinkLimit(std::size_t links_max)
      : links_max_(links_max), count_(std::make_shared<std::atomic<std::size_t>>(0)) {}

  std::size_t open() const noexcept { return count_->load(std::memory_order_relaxed); }
  LinkLease take() const noexcept { return LinkLease(count_); }
  // Whether one more may be; the first time that it may not is said in the log.
  bool has_room(const Address& listener);

 private:
  std::size_t links_max_;
  LinkCount count_;
  bool told_ = false;
};

void count_refused(ListenStats& stats) noexcept;

struct Incoming::Connection {
  virtual ~Connection() = default;
  virtual Loop* home() const noexcept { return nullptr; }
  virtual Result<std::unique_ptr<Link>> open(Loop& loop) = 0;
};

}  // namespace spanwire::transport
