// Who recorded what: processes and threads, under numbers of this file.  Internal to inspect.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lib/inspect/timeline/slice.hpp"
#include "spanwire/inspect/model.hpp"

namespace spanwire::inspect {

class Places {
 public:
  struct Process {
    std::string name;
    std::uint32_t pid = 0;      // its own, where it is known; 0 where not
    std::int64_t shift_ns = 0;  // to be added to its times
    std::string host;           // whose clock it reads (lib/inspect/clocks.hpp)
  };
  struct Thread {
    std::string name;
    std::uint32_t tid = 0;
  };

  // `index` is the reader's; `described` what it stands for.
  std::uint32_t process_of(std::uint32_t index, const inspect::Process& described);
  // By the attributes that SGLang and Spanwire's journey write (pid, thread_label, host_id and the
  // ranks) or OpenTelemetry's (thread.id, thread.name); kNoThread without any.
  std::uint32_t thread_of(std::uint32_t process, const std::vector<Attribute>& attributes);

  // Of a profile, by whatever it calls them.
  std::uint32_t profile_process(std::string_view pid);
  std::uint32_t profile_thread(std::uint32_t process, std::string_view tid);
  std::size_t processes() const noexcept { return processes_.size(); }
  // A slice, or what has its process and times: by the process's shift_ns; never before 1970.
  template <class Head>
  void move(Head& slice) const noexcept {
    const std::int64_t shift_ns = processes_[slice.process].shift_ns;
    slice.start_ns = std::max<std::int64_t>(slice.start_ns + shift_ns, 0);
    slice.end_ns = std::max(slice.end_ns + shift_ns, slice.start_ns);
  }
  Process& process(std::uint32_t index) { return processes_[index]; }
  const Process& process(std::uint32_t index) const { return processes_[index]; }
  Thread& thread(std::uint32_t index) { return threads_[index]; }

 private:
  std::uint32_t intern_thread(const std::string& key, Thread thread);

  std::vector<Process> processes_;
  std::vector<Thread> threads_;
  std::vector<std::uint32_t> by_index_;
  std::unordered_map<std::string, std::uint32_t> profile_index_;
  std::unordered_map<std::string, std::uint32_t> thread_index_;
};

}  // namespace spanwire::inspect
