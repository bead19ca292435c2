// SpanLedger: which spans reached the exporter, whose children they are, and what is missing.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "spanwire/base/random.hpp"
#include "spanwire/trace/exporter.hpp"
#include "spanwire/trace/provider.hpp"

namespace spanwire::testing {

// Safe from any thread; read it after the flush.
class SpanLedger {
 public:
  struct Entry {
    trace::SpanId parent;
    trace::SpanKind kind{};
    std::uint8_t flags = 0;
  };

  // `fault_seed` zero: delivers everything.  Else it throws, refuses and cuts batches as that says.
  std::unique_ptr<trace::Exporter> exporter(std::uint64_t fault_seed = 0) const {
    return std::make_unique<LedgerExporter>(book_, fault_seed);
  }
  // A span of another process, which is not expected here.
  void add_remote_parent(const trace::SpanId& id) {
    const std::scoped_lock lock(book_->mutex);
    book_->remote.insert(id.hex().str());
  }

  std::size_t size() const { return book_->spans.size(); }
  std::size_t repeated() const { return book_->repeated; }
  std::size_t of_kind(trace::SpanKind kind) const {
    std::size_t count = 0;
    for (const auto& [id, entry] : book_->spans) count += entry.kind == kind ? 1 : 0;
    return count;
  }
  // Spans whose parent is neither here nor in another process.
  std::size_t orphans() const {
    std::size_t count = 0;
    for (const auto& [id, entry] : book_->spans) count += has_parent(entry) ? 0 : 1;
    return count;
  }
  // Server spans whose parent, where it is known, is not a client span.
  std::size_t misplaced() const {
    std::size_t count = 0;
    for (const auto& [id, entry] : book_->spans) {
      if (entry.kind != trace::SpanKind::server) continue;
      const auto parent = book_->spans.find(entry.parent.hex().str());
      if (parent == book_->spans.end()) continue;
      count += parent->second.kind == trace::SpanKind::client ? 0 : 1;
    }
    return count;
  }

 private:
  struct Book {
    std::mutex mutex;
    std::map<std::string, Entry> spans;
    std::set<std::string> remote;
    std::size_t repeated = 0;
  };

  class LedgerExporter final : public trace::Exporter {
   public:
    LedgerExporter(std::shared_ptr<Book> book, std::uint64_t seed)
        : book_(std::move(book)), faulty_(seed != 0), random_(seed) {}
    std::string_view name() const noexcept override { return "ledger"; }
    trace::ExportResult export_batch(std::span<const trace::SpanRecordView> spans,
                                     MonotonicTime /*deadline*/) override {
      const std::uint64_t fault = faulty_ ? random_.below(6) : 5;
      if (fault == 0) throw std::runtime_error("the exporter's own fault");
      if (fault == 1) return {0, Error(Errc::export_failed)};
      const std::size_t delivered = fault == 2 ? spans.size() / 2 : spans.size();
      const std::scoped_lock lock(book_->mutex);
      for (const trace::SpanRecordView& span : spans.first(delivered)) {
        const bool added =
            book_->spans
                .emplace(span.span_id().hex().str(), Entry{span.parent_span_id(), span.kind(),
                                                           static_cast<std::uint8_t>(span.flags())})
                .second;
        book_->repeated += added ? 0 : 1;
      }
      return {delivered, delivered < spans.size() ? Error(Errc::export_failed) : Error()};
    }

   private:
    std::shared_ptr<Book> book_;
    bool faulty_;
    Random random_;
  };

  bool has_parent(const Entry& entry) const {
    const std::string parent = entry.parent.hex().str();
    return entry.parent.is_zero() || book_->spans.contains(parent) ||
           book_->remote.contains(parent);
  }

  std::shared_ptr<Book> book_ = std::make_shared<Book>();
};

}  // namespace spanwire::testing
