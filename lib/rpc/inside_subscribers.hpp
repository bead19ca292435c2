// InsideSubscribers: the subscribers of this process, by the zmq+inproc names at which they meet
// their publishers.  There is no connection between them that could be ended: a publisher whose
// room one of them keeps full asks it to let go of what it does not take.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace spanwire::rpc {

// What a publisher may ask of a subscriber, from any thread.
class InsideSubscriber {
 public:
  // Below 0, and no other's.
  int number() const noexcept { return number_; }
  // Bytes that were received so far.
  virtual std::uint64_t bytes_taken() const noexcept = 0;
  // Drops, on its own loop, what waits and nobody receives; what it dropped is missed.
  virtual void make_room() = 0;
  // Whether it is of the process from which this one was forked.
  virtual bool inherited() const noexcept = 0;

 protected:
  InsideSubscriber() noexcept;
  ~InsideSubscriber() = default;

 private:
  const int number_;
};

// Safe from any thread.  A subscriber that was removed is not visited any more.
void add_inside(const std::vector<std::string>& names, InsideSubscriber& subscriber);
void remove_inside(InsideSubscriber& subscriber);
void visit_inside(const std::vector<std::string>& names,
                  const std::function<void(InsideSubscriber&)>& visit);

}  // namespace spanwire::rpc
