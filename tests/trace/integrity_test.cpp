// Every recorded span is exported or counted as lost: under thread churn, full rings, faulty
// exporters and a shutdown in the middle of it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "lib/trace/ring.hpp"
#include "lib/trace/slab.hpp"
#include "spanwire/base/random.hpp"
#include "tests/support/log_capture.hpp"
#include "tests/trace/provider_fixture.hpp"

namespace spanwire::trace {
namespace {

// Keeps ids, and fails as its seed says.
class ChaoticExporter final : public Exporter {
 public:
  struct Seen {
    std::mutex mutex;
    std::set<std::string> spans;
    std::set<std::string> parents;
    std::uint64_t repeated = 0;
    std::uint64_t damaged = 0;
  };
  ChaoticExporter(std::shared_ptr<Seen> seen, std::uint64_t seed, bool faults)
      : seen_(std::move(seen)), random_(seed), faults_(faults) {}

  std::string_view name() const noexcept override { return "chaotic"; }
  ExportResult export_batch(std::span<const SpanRecordView> spans, MonotonicTime) override {
    const std::uint64_t fault = faults_ ? random_.below(8) : 7;
    if (fault == 0) throw std::runtime_error("chaos");
    if (fault == 1) return {0, Error(Errc::export_failed)};
    const std::size_t delivered = fault == 2 ? spans.size() / 2 : spans.size();
    const std::scoped_lock lock(seen_->mutex);
    for (const SpanRecordView& span : spans.first(delivered)) {
      const SpanData data(span);
      if (!seen_->spans.insert(data.context.span_id().hex().str()).second) ++seen_->repeated;
      if (!data.parent_span_id.is_zero()) {
        seen_->parents.insert(data.parent_span_id.hex().str());
      }
      if (!intact(data)) ++seen_->damaged;
    }
    return {delivered, delivered < spans.size() ? Error(Errc::export_failed) : Error()};
  }

 private:
  // What work() below writes.
  static bool intact(const SpanData& span) {
    const OwnedValue* id = span.attribute("id");
    const OwnedValue* text = span.attribute("text");
    return id != nullptr && *id == OwnedValue(span.context.span_id().hex().str()) &&
           text != nullptr &&
           std::get<std::string>(*text).find_first_not_of('x') == std::string::npos;
  }

  std::shared_ptr<Seen> seen_;
  Random random_;
  bool faults_;
};

// Spans of all sizes, in small trees, some ended in the order of their start, some not.
void work(const Tracer& tracer, int rounds, std::uint64_t seed) {
  Random random(seed);
  for (int i = 0; i < rounds; ++i) {
    Span parent = tracer.start({}, "parent", SpanKind::server);
    Span child = tracer.start(Context(parent.context()), "child");
    for (Span* span : {&parent, &child}) {
      const std::size_t size = random.below(50) == 0 ? 3000 : random.below(100);
      span->set("id", span->context().span_id().hex().str()).set("text", std::string(size, 'x'));
      span->add_event("event");
    }
    if (random.below(2) == 0) parent.end();
  }
}

struct Load {
  const char* name;
  std::size_t ring_bytes;
  std::size_t open_max;
  std::size_t queue_max;
  bool faults;
  int threads;
  int generations;  // of threads, one after the other
  int rounds;
};

class Integrity : public ProviderTest, public ::testing::WithParamInterface<Load> {
 protected:
  void start_loaded() {
    ProviderOptions loaded;
    loaded.exporters.push_back(std::make_unique<ChaoticExporter>(seen_, 1, GetParam().faults));
    loaded.ring_bytes_per_thread = GetParam().ring_bytes;
    loaded.open_spans_max = GetParam().open_max;
    loaded.queue_spans_max = GetParam().queue_max;
    loaded.batch_spans_max = 64;
    init(std::move(loaded));
  }
  void run_threads() {
    std::vector<std::thread> threads;
    for (int t = 0; t < GetParam().threads; ++t) {
      threads.emplace_back([t] {
        for (int g = 0; g < GetParam().generations; ++g) {
          const auto seed = static_cast<std::uint64_t>(t * 1000 + g);
          std::thread([seed] { work(tracer(), GetParam().rounds, seed); }).join();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::uint64_t started() const {
    return 2ull * static_cast<std::uint64_t>(GetParam().threads * GetParam().generations *
                                             GetParam().rounds);
  }

  testing::LogCapture log_;
  std::shared_ptr<ChaoticExporter::Seen> seen_ = std::make_shared<ChaoticExporter::Seen>();
};

TEST_P(Integrity, RecordedIsExportedOrCounted) {
  start_loaded();
  run_threads();
  EXPECT_TRUE(flush().in_time);
  const TraceStats all = stats();
  EXPECT_EQ(all.started, started());
  EXPECT_EQ(all.recorded, started());
  EXPECT_EQ(all.open, 0u);
  EXPECT_EQ(all.queued, 0u);
  expect_all_accounted(all);
  EXPECT_EQ(seen_->spans.size(), all.exported);
  EXPECT_EQ(seen_->repeated, 0u);
  EXPECT_EQ(seen_->damaged, 0u);
  // A parent that is missing is explained by the losses.
  std::uint64_t missing = 0;
  for (const std::string& parent : seen_->parents) missing += seen_->spans.count(parent) == 0;
  EXPECT_LE(missing, all.lost.total());
  shutdown();
}

// Spans that are ended while and after the provider shuts down are counted, whoever wins.
TEST_P(Integrity, HoldsThroughAShutdownInTheMiddle) {
  start_loaded();
  Provider& provider_of_all = *provider();
  std::thread closing([&] {
    while (provider_of_all.stats().recorded < started() / 4) std::this_thread::yield();
    provider_of_all.shutdown(kEnough);
  });
  run_threads();
  closing.join();
  const TraceStats all = provider_of_all.stats();
  EXPECT_EQ(all.open, 0u);
  EXPECT_EQ(all.queued, 0u);
  expect_all_accounted(all);
  EXPECT_EQ(seen_->spans.size(), all.exported);
  EXPECT_EQ(seen_->damaged, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Loads, Integrity,
    ::testing::Values(Load{"ThreadChurn", 1u << 20, 65536, 0, false, 4, 50, 10},
                      Load{"FullRings", 64u << 10, 65536, 0, false, 4, 2, 2000},
                      Load{"FewOpenSpans", 1u << 20, 40, 0, false, 4, 5, 100},
                      Load{"BoundedQueue", 1u << 20, 65536, 100, false, 4, 5, 200},
                      Load{"FaultyExporter", 1u << 20, 65536, 0, true, 4, 10, 100}),
    [](const auto& param_info) { return std::string(param_info.param.name); });

// Places are never given twice, whatever threads do with them.
TEST(Slab, GivesEachPlaceOnce) {
  constexpr std::size_t kPlaces = 256;
  constexpr std::uint32_t kBatch = 32;
  detail::Slab slab(kPlaces);
  std::vector<std::atomic<int>> taken(kPlaces);
  std::atomic<std::uint64_t> collisions{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        std::uint32_t slots[kBatch];
        const std::uint32_t count = slab.take(slots, kBatch);
        for (std::uint32_t s = 0; s < count; ++s) {
          if (taken[slots[s]].fetch_add(1) != 0) ++collisions;
          if (slab.at(slots[s])->index != slots[s]) ++collisions;
        }
        for (std::uint32_t s = 0; s < count; ++s) taken[slots[s]].fetch_sub(1);
        if (count != 0) slab.give(slots, count);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collisions, 0u);
  std::uint32_t slots[kPlaces];
  std::uint32_t all = 0;
  for (std::uint32_t count = kBatch; count != 0;) all += count = slab.take(slots + all, kBatch);
  EXPECT_EQ(all, kPlaces);
}

// Entries of every size come out as they went in, over many turns of the ring, at any speed of the
// reader.
TEST(Ring, KeepsEntriesInOrder) {
  constexpr std::size_t kCapacity = 4096;
  constexpr std::uint64_t kSeed = 42;
  detail::Ring ring(kCapacity);
  Random random(kSeed);
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t bytes = sizeof(detail::RecordHeader) + 8 * random.below(100);
    if (std::byte* to = ring.reserve(bytes)) {
      auto* header = reinterpret_cast<detail::RecordHeader*>(to);
      header->entry_bytes = static_cast<std::uint32_t>(bytes);
      header->entry_type = detail::EntryType::record;
      header->start_ns = static_cast<std::int64_t>(written++);
      ring.publish(to, bytes);
    }
    if (random.below(4) != 0) continue;
    const auto [begin, end] = ring.readable();
    std::uint64_t at = begin;
    while (at != end && random.below(8) != 0) {
      const auto* header = reinterpret_cast<const detail::RecordHeader*>(ring.at(at));
      if (header->entry_type == detail::EntryType::record) {
        ASSERT_EQ(header->start_ns, static_cast<std::int64_t>(read++)) << "seed " << kSeed;
      }
      at += header->entry_bytes;
    }
    if (at != begin) ring.commit(at);
  }
  EXPECT_GT(read, 1000u);
  EXPECT_LE(read, written);
}

// A ring whose reader keeps up uses the same memory again, and has all of its room each time.
TEST(Ring, StartsOverWhenEmpty) {
  constexpr std::size_t kCapacity = 1u << 20;
  constexpr std::size_t kBytes = 1024;
  detail::Ring ring(kCapacity);
  const auto write = [&ring] {
    std::byte* to = ring.reserve(kBytes);
    if (to == nullptr) return false;
    auto* header = reinterpret_cast<detail::RecordHeader*>(to);
    header->entry_bytes = kBytes;
    header->entry_type = detail::EntryType::record;
    ring.publish(to, kBytes);
    return true;
  };
  std::set<const std::byte*> places;
  for (int i = 0; i < 4000; ++i) {
    ASSERT_TRUE(write());
    const std::uint64_t end = ring.readable().end;
    places.insert(ring.at(end - kBytes));
    ring.commit(end);
  }
  EXPECT_LE(places.size(), 130u) << "more than 128 KiB of memory were touched";
  std::size_t fits = 0;
  while (write()) ++fits;
  EXPECT_GE(fits, (kCapacity - kBytes) / kBytes - 130);
}

// The reader looks between any two steps of the writer and finds every entry once.
TEST(Ring, ReaderAndWriterRunAtOnce) {
  constexpr std::uint64_t kEntries = 200'000;
  detail::Ring ring(256u << 10);
  std::atomic<bool> done{false};
  std::uint64_t written = 0;
  std::thread writer([&] {
    Random random(7);
    for (std::uint64_t i = 0; i < kEntries; ++i) {
      const std::size_t bytes = sizeof(detail::RecordHeader) + 8 * random.below(200);
      std::byte* to = ring.reserve(bytes);
      if (to == nullptr) {
        std::this_thread::yield();
        continue;
      }
      auto* header = reinterpret_cast<detail::RecordHeader*>(to);
      header->entry_bytes = static_cast<std::uint32_t>(bytes);
      header->entry_type = detail::EntryType::record;
      header->start_ns = static_cast<std::int64_t>(written++);
      ring.publish(to, bytes);
    }
    done = true;
  });
  std::uint64_t read = 0;
  std::uint64_t wrong = 0;
  for (bool last = false; !last;) {
    last = done.load();
    const auto [begin, end] = ring.readable();
    std::uint64_t at = begin;
    while (at < end) {
      const auto* header = reinterpret_cast<const detail::RecordHeader*>(ring.at(at));
      if (header->entry_type == detail::EntryType::record) {
        wrong += header->start_ns != static_cast<std::int64_t>(read++);
      }
      at += header->entry_bytes;
    }
    wrong += at != end;
    if (begin != end) ring.commit(end);
  }
  writer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(read, written);
}

// What does not fit at once never fits: no entry can spoil the ring.
TEST(Ring, RefusesWhatIsTooLarge) {
  detail::Ring ring(4096);
  EXPECT_EQ(ring.reserve(4096), nullptr);
  EXPECT_EQ(ring.reserve(2056), nullptr);
  EXPECT_NE(ring.reserve(2048), nullptr);
}

}  // namespace
}  // namespace spanwire::trace
