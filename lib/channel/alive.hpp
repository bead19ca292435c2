// Alive: tells a function whether its object was destroyed while user code ran.  Internal to
// channel.  One thread.
#pragma once

namespace spanwire::channel {

// A member of whatever may be destroyed in a callback of its own.
class Alive {
 public:
  Alive() noexcept = default;
  ~Alive() {
    if (watch_ != nullptr) *watch_ = true;
  }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;

 private:
  friend class AliveWatch;
  bool* watch_ = nullptr;
};

// Made before the callback, asked after it.  Watches of one object nest.
class AliveWatch {
 public:
  explicit AliveWatch(Alive& alive) noexcept : alive_(alive), outer_(alive.watch_) {
    alive.watch_ = &gone_;
  }
  ~AliveWatch() {
    if (!gone_) {
      alive_.watch_ = outer_;
    } else if (outer_ != nullptr) {
      *outer_ = true;
    }
  }
  AliveWatch(const AliveWatch&) = delete;
  AliveWatch& operator=(const AliveWatch&) = delete;

  bool gone() const noexcept { return gone_; }

 private:
  Alive& alive_;
  bool* outer_;
  bool gone_ = false;
};

}  // namespace spanwire::channel
