// Which requests are under way in this process, by a hash of their ids: enough to see one started
// twice.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace spanwire::journey {

inline constexpr std::size_t kLiveRequestsMax = 16384;

// Lock-free; one static object.  Safe from any thread.  In a forked child it is empty.
class LiveRequests {
 public:
  enum class Added : std::uint8_t { yes, already_there, no_room };
  struct Result {
    Added added;
    std::uint64_t key;  // for remove(); 0: there is nothing to remove
  };

  constexpr LiveRequests() noexcept = default;
  Result add(std::string_view id) noexcept;
  void remove(std::uint64_t key) noexcept;

 private:
  // How far from its place a key may lie.
  static constexpr std::size_t kReach = 32;

  void forget_parents() noexcept;
  bool is_behind(std::size_t first, std::size_t at, std::uint64_t key) noexcept;

  std::atomic<std::uint32_t> generation_{0};
  std::array<std::atomic<std::uint64_t>, kLiveRequestsMax> keys_{};
};

}  // namespace spanwire::journey
