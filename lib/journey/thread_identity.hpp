// A named thread as requests refer to it: longer than the thread lives.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "spanwire/journey/thread_info.hpp"
#include "spanwire/trace/attribute.hpp"

namespace spanwire::journey {

// Immutable once made; counted.
class ThreadIdentity {
 public:
  ThreadIdentity(std::string_view label, const Ranks& ranks);
  ThreadIdentity(const ThreadIdentity&) = delete;
  ThreadIdentity& operator=(const ThreadIdentity&) = delete;

  // "scheduler [TP 0] (host:01234567 | pid:4711)"
  const std::string& span_name() const noexcept { return span_name_; }
  // host_id, pid, thread_label and the ranks that are set; of texts of this object.
  std::span<const trace::Attribute> attributes() const noexcept { return attributes_; }
  std::uint32_t fork_generation() const noexcept { return fork_generation_; }

 private:
  std::string label_;
  std::string span_name_;
  std::vector<trace::Attribute> attributes_;
  std::uint32_t fork_generation_;
};

using ThreadIdentityPtr = std::shared_ptr<const ThreadIdentity>;

// Of the calling thread; null if it has no name.
const ThreadIdentity* named_thread() noexcept;
// The same of a thread which is named "unknown" by this if it has no name yet.
const ThreadIdentityPtr& identity_of_thread();

}  // namespace spanwire::journey
