// Ended spans as OTLP protobuf, one ExportTraceServiceRequest (which is also a TracesData) a batch
// (OTLP 1.10).
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
// not UTF-8 get U+FFFD in place of each bad byte: receivers refuse a whole batch over one of them.
// One thread at a time.
class ProtobufEncoder {
 public:
  explicit ProtobufEncoder(const trace::Resource& resource);

  // Appends the message; nothing for an empty batch.  Allocates only what `out` has to grow.
  void encode(std::span<const trace::SpanRecordView> spans, Buffer& out);

 private:
  struct ScopeBytes {
    const trace::Scope* scope;
    std::string bytes;  // an InstrumentationScope
  };
  const ScopeBytes& bytes_of_scope(const trace::Scope& scope);

  std::string resource_;  // a Resource
  std::vector<ScopeBytes> scopes_;
  std::vector<const trace::Scope*> in_batch_;
  std::string scratch_;
  // How many bytes the lengths of the last batch took.
  std::size_t resource_length_ = 3;
  std::size_t scope_length_ = 3;
};

}  // namespace spanwire::otlp
