// Where requests are found by their ids, and what rooms brought.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/journey/state.hpp"

namespace spanwire::journey {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};
template <class Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

// A request as it was when it was put in.
struct RequestRef {
  RequestState* request = nullptr;
  std::uint32_t generation = 0;

  explicit operator bool() const noexcept { return request != nullptr; }
};

// Sharded by id.  Safe from any thread.  Its locks are taken with a request's held, never the other
// way round.
class RequestIds {
 public:
  RequestRef find(std::string_view rid) const;
  // What stood there before.
  RequestRef put(std::string_view rid, RequestRef request);
  // False, and nothing changed, if one stands there.
  bool put_new(std::string_view rid, RequestRef request);
  // If it is still this one.
  void remove(std::string_view rid, const RequestState& request);

 private:
  static constexpr std::size_t kShards = 16;
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    TextMap<RequestRef> requests;
  };
  Shard& shard_of(std::string_view rid) noexcept { return shards_[TextHash()(rid) / 64 % kShards]; }
  const Shard& shard_of(std::string_view rid) const noexcept {
    return shards_[TextHash()(rid) / 64 % kShards];
  }
  std::array<Shard, kShards> shards_;
};

// The contexts of rooms until their requests are over.  Bounded: beyond by_id::kRoomsMax the older
// half goes.  What goes before its time is counted in "spanwire.journey.rooms_dropped".  Safe from
// any thread.
class Rooms {
 public:
  // The first of a room counts.
  void put(std::string_view room, const PropagateContext& context, std::int64_t now_ns);
  // Those that came before that time, and whose requests never began, go.
  void forget_older_than(std::int64_t ns);
  // For a request that begins.
  std::optional<PropagateContext> use(std::string_view room);
  void remove(std::string_view room);

 private:
  struct Entry {
    PropagateContext context;
    std::uint64_t number = 0;
    std::int64_t came_ns = 0;
    bool used = false;  // by a request that is under way, or was
  };
  void make_room();

  mutable std::mutex mutex_;
  TextMap<Entry> rooms_;
  std::uint64_t next_ = 0;
};

}  // namespace spanwire::journey
