// Ended spans as OTLP JSON, one TracesData object a batch: ids in hex, enums as numbers, 64-bit
// integers as strings, fields at their default left out (OTLP 1.10, JSON encoding).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanwire/base/slice.hpp"
#include "spanwire/trace/resource.hpp"
#include "spanwire/trace/span_record.hpp"

namespace spanwire::otlp {

// What is the same in every batch, the resource and the scopes, is encoded once.  Texts that are
// not UTF-8 get U+FFFD in place of each bad byte.  One thread at a time.
class JsonEncoder {
 public:
  explicit JsonEncoder(const trace::Resource& resource);

  // Appends the object, without an end of line; nothing for an empty batch.  Allocates only what
  // `out` has to grow.
  void encode(std::span<const trace::SpanRecordView> spans, Buffer& out);

 private:
  std::string_view scope_text(const trace::Scope& scope);

  std::string head_;  // up to the scopes
  std::vector<std::pair<const trace::Scope*, std::string>> scopes_;
  std::vector<const trace::Scope*> in_batch_;
};

}  // namespace spanwire::otlp
