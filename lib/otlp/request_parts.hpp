// RequestParts: a request that was received, to be sent on whole or in parts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/otlp/sender.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// Holds views of the request, which outlives it.
class RequestParts final : public Batch {
 public:
  // An ExportTraceServiceRequest in protobuf.  Fails with otlp_malformed.
  static Result<RequestParts> read(ByteView request);

  // Spans with both ids; one without is not sent on.
  std::size_t size() const noexcept override { return spans_; }
  // All of them are the request as it came, byte for byte, unless one is left out.
  void encode(std::size_t first, std::size_t count, Buffer& out) override;

 private:
  struct Scope {
    std::string head;  // all but the spans, encoded
    std::vector<std::string_view> spans;
    std::size_t first = 0;  // its first span among those of the request
  };
  struct Resource {
    std::string head;  // all but the scopes, encoded
    std::vector<Scope> scopes;
  };

  void add_resource(std::string_view bytes);
  void add_scope(std::string_view bytes, Resource& to);

  std::string_view request_;
  std::vector<Resource> resources_;
  std::size_t spans_ = 0;
  bool whole_ = true;
};

}  // namespace spanwire::otlp
