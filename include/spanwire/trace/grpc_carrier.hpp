// gRPC metadata as a carrier, without a dependency on gRPC.
//
//   trace::extract(trace::GrpcMetadata(server_context.client_metadata()));
//   trace::GrpcMetadataOut out(client_context);   // whatever has AddMetadata(key, value)
//   trace::inject(context, out);
//
// Keys are lower case on the wire and read in any case; a key may repeat; keys that end with "-bin"
// are binary and never ours.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/context_counters.hpp"

namespace spanwire::trace {

namespace detail {
// grpc::string_ref has data() and length(), and is no std::string_view.
template <class Text>
std::string_view view_of_text(const Text& text) noexcept {
  if constexpr (std::convertible_to<const Text&, std::string_view>) {
    return text;
  } else {
    return {text.data(), text.length()};
  }
}

// What gRPC lets through as the value of a key without "-bin".
constexpr bool is_metadata_value(std::string_view value) noexcept {
  for (const char c : value) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}
}  // namespace detail

// Refers to any range of pairs of keys and values, such as a
// std::multimap<grpc::string_ref, grpc::string_ref>.
template <class Range>
class GrpcMetadata {
 public:
  explicit GrpcMetadata(const Range& range) noexcept : range_(&range) {}
  const Range& range() const noexcept { return *range_; }

 private:
  const Range* range_;
};

template <class Range>
void for_each_field(const GrpcMetadata<Range>& metadata, FieldSink& sink) {
  for (const auto& item : metadata.range()) {
    sink.add(detail::view_of_text(item.first), detail::view_of_text(item.second));
  }
}

// Refers to a grpc::ClientContext, or whatever else has AddMetadata(std::string, std::string).
template <class Context>
class GrpcMetadataOut {
 public:
  explicit GrpcMetadataOut(Context& context) noexcept : context_(&context) {}
  void add(std::string_view key, std::string_view value) {
    context_->AddMetadata(std::string(key), std::string(value));
  }

 private:
  Context* context_;
};

// A text that is not printable ASCII cannot travel as metadata: left out and counted.
template <class Context>
void set_field(GrpcMetadataOut<Context>& out, Field field, std::string_view value,
               bool /*needs_escape*/) {
  if (!detail::is_metadata_value(value)) return count_not_injected(field);
  out.add(name(field), value);
}

template <class Context>
void set_header(GrpcMetadataOut<Context>& out, const HeaderField& field) {
  out.add(field.name, field.value);
}

}  // namespace spanwire::trace
