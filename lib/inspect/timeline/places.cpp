#include "lib/inspect/timeline/places.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "lib/inspect/clocks.hpp"
#include "spanwire/inspect/convert.hpp"

namespace spanwire::inspect {
namespace {

constexpr std::uint32_t kUnknown = 0xFFFF'FFFF;
constexpr std::size_t kHostShown = 8;

// 0 for what no system gives a process or thread.
std::uint32_t number_of(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number < 1u << 30 ? number : 0;
}

// "(pid 4711, host 01234567)"; nothing when both are empty.
std::string whereabouts(std::string_view pid, std::string_view host) {
  std::string text;
  if (!pid.empty()) text.append(text.empty() ? " (" : ", ").append("pid ").append(pid);
  if (!host.empty()) {
    text.append(text.empty() ? " (" : ", ").append("host ").append(host.substr(0, kHostShown));
  }
  return text.empty() ? text : text + ')';
}

// Attributes that say which thread it was.
struct ThreadFacts {
  std::string_view label;
  std::string number, host, tp_rank, pp_rank, dp_rank;
  bool any = false;

  explicit ThreadFacts(const std::vector<Attribute>& attributes) {
    for (const Attribute& item : attributes) look_at(item);
  }

  std::string name() const {
    std::string text(label.empty() ? "thread" : label);
    if (!tp_rank.empty()) text += " [TP " + tp_rank + ']';
    if (!pp_rank.empty()) text += " [PP " + pp_rank + ']';
    if (!dp_rank.empty()) text += " [DP " + dp_rank + ']';
    return text + whereabouts(number, host);
  }

 private:
  void look_at(const Attribute& item) {
    const std::string_view key = item.key;
    if (key == "thread_label" || key == "thread.name") {
      if (const auto* text = std::get_if<std::string>(&item.value.data)) label = *text;
      any = true;
    } else if (key == "pid" || key == "thread.id") {
      number = item.value.text();
      any = true;
    } else if (key == "host_id") {
      host = item.value.text();
    } else if (key == "tp_rank") {
      tp_rank = item.value.text();
    } else if (key == "pp_rank") {
      pp_rank = item.value.text();
    } else if (key == "dp_rank") {
      dp_rank = item.value.text();
    }
  }
};

}  // namespace

std::uint32_t Places::process_of(std::uint32_t index, const inspect::Process& described) {
  if (index >= by_index_.size()) by_index_.resize(index + 1, kUnknown);
  std::uint32_t& place = by_index_[index];
  if (place != kUnknown) return place;
  place = static_cast<std::uint32_t>(processes_.size());
  const std::string pid = text_of(described.attributes, "process.pid");
  const std::string host = text_of(described.attributes, "host.name");
  processes_.push_back(
      {described.service + whereabouts(pid, host), number_of(pid), 0, clock_host(described)});
  return place;
}

std::uint32_t Places::intern_thread(const std::string& key, Thread thread) {
  const auto known = thread_index_.find(key);
  if (known != thread_index_.end()) return known->second;
  if (threads_.size() >= kThreadsMax) return kNoThread;
  const auto index = static_cast<std::uint32_t>(threads_.size());
  thread_index_.emplace(key, index);
  threads_.push_back(std::move(thread));
  return index;
}

std::uint32_t Places::thread_of(std::uint32_t process, const std::vector<Attribute>& attributes) {
  const ThreadFacts facts(attributes);
  if (!facts.any) return kNoThread;
  std::string name = facts.name();
  // Equal numbers on two hosts are two threads; the name cuts the host, the key does not.
  const std::string key = std::to_string(process) + '/' + facts.host + '/' + name;
  return intern_thread(key, {std::move(name), number_of(facts.number)});
}

std::uint32_t Places::profile_process(std::string_view pid) {
  const auto [item, fresh] =
      profile_index_.try_emplace(std::string(pid), static_cast<std::uint32_t>(processes_.size()));
  if (fresh) processes_.push_back({"profile " + std::string(pid), number_of(pid), 0, {}});
  return item->second;
}

std::uint32_t Places::profile_thread(std::uint32_t process, std::string_view tid) {
  const std::string key = "profile/" + std::to_string(process) + '/' + std::string(tid);
  return intern_thread(key, {"thread " + std::string(tid), number_of(tid)});
}

}  // namespace spanwire::inspect
