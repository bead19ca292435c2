#include "spanwire/journey/thread_info.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "lib/journey/thread_identity.hpp"
#include "spanwire/base/fork.hpp"
#include "spanwire/journey/misuse.hpp"

namespace spanwire::journey {
namespace {

constexpr std::size_t kHostIdShown = 8;

std::string first_word_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

// The first address that is not all zeros, as 32 digits.
std::string network_address() {
  std::error_code ignored;
  for (const auto& card : std::filesystem::directory_iterator("/sys/class/net", ignored)) {
    std::string digits = first_word_of(card.path() / "address");
    std::erase(digits, ':');
    if (digits.size() != 12 || digits.find_first_not_of('0') == std::string::npos) continue;
    return std::string(20, '0') + digits;
  }
  return {};
}

std::string read_host_id() {
  std::string id = first_word_of("/etc/machine-id");
  if (id.empty()) id = network_address();
  return id.empty() ? "unknown" : id;
}

std::int64_t native_thread_id() noexcept { return syscall(SYS_gettid); }

void add_rank(std::string& name, std::string_view kind, const std::optional<int>& rank) {
  if (!rank) return;
  name.append(" [").append(kind).append(" ").append(std::to_string(*rank)).append("] ");
}

thread_local ThreadIdentityPtr identity;

bool has_name() noexcept {
  return identity != nullptr && identity->fork_generation() == fork_generation();
}

}  // namespace

ThreadIdentity::ThreadIdentity(std::string_view label, const Ranks& ranks)
    : label_(label), span_name_(label), fork_generation_(spanwire::fork_generation()) {
  const std::int64_t pid = native_thread_id();
  add_rank(span_name_, "TP", ranks.tp);
  add_rank(span_name_, "PP", ranks.pp);
  add_rank(span_name_, "DP", ranks.dp);
  const std::string host = host_id().substr(0, kHostIdShown);
  span_name_ += "(host:" + host + " | pid:" + std::to_string(pid) + ")";
  if (ranks.tp) attributes_.push_back({"tp_rank", *ranks.tp});
  if (ranks.pp) attributes_.push_back({"pp_rank", *ranks.pp});
  if (ranks.dp) attributes_.push_back({"dp_rank", *ranks.dp});
  attributes_.push_back({"host_id", std::string_view(host_id())});
  attributes_.push_back({"pid", pid});
  attributes_.push_back({"thread_label", std::string_view(label_)});
}

const ThreadIdentity* named_thread() noexcept { return has_name() ? identity.get() : nullptr; }

const ThreadIdentityPtr& identity_of_thread() {
  if (!has_name()) {
    count_misuse(Errc::thread_unregistered, "a thread takes part in a request without a name");
    identity = std::make_shared<const ThreadIdentity>("unknown", Ranks());
  }
  return identity;
}

bool set_thread_info(std::string_view label, const Ranks& ranks) {
  if (has_name()) return false;
  identity = std::make_shared<const ThreadIdentity>(label, ranks);
  return true;
}

// Never destroyed: threads may be named while the process ends.  No static: a fork amid its making
// leaves the child waiting for it.
const std::string& host_id() {
  static constinit std::atomic<const std::string*> known{nullptr};
  if (const std::string* id = known.load(std::memory_order_acquire)) return *id;
  auto made = std::make_unique<const std::string>(read_host_id());
  const std::string* first = nullptr;
  if (!known.compare_exchange_strong(first, made.get(), std::memory_order_acq_rel)) return *first;
  return *made.release();
}

}  // namespace spanwire::journey
