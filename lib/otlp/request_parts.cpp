#include "lib/otlp/request_parts.hpp"

#include <algorithm>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "lib/otlp/otlp_fields.hpp"

namespace spanwire::otlp {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_writer;

constexpr std::size_t kTraceIdBytes = 16;
constexpr std::size_t kSpanIdBytes = 8;

std::string_view text_of(data_view view) noexcept { return {view.data(), view.size()}; }
data_view view_of(std::string_view text) noexcept { return {text.data(), text.size()}; }

bool is_id(std::string_view bytes, std::size_t size) noexcept {
  return bytes.size() == size &&
         std::any_of(bytes.begin(), bytes.end(), [](char c) { return c != 0; });
}

// Protozero asserts what it reads.
std::string_view bytes_in(pbf_reader& reader) {
  if (!reader.has_wire_type(protozero::pbf_wire_type::length_delimited)) {
    throw protozero::unknown_pbf_wire_type_exception();
  }
  return text_of(reader.get_view());
}

bool has_ids(std::string_view span) {
  std::string_view trace_id;
  std::string_view span_id;
  pbf_reader reader(view_of(span));
  while (reader.next()) {
    if (reader.tag() == field::kSpanTraceId) {
      trace_id = bytes_in(reader);
    } else if (reader.tag() == field::kSpanSpanId) {
      span_id = bytes_in(reader);
    } else {
      reader.skip();
    }
  }
  return is_id(trace_id, kTraceIdBytes) && is_id(span_id, kSpanIdBytes);
}

// Hands each message in the field `tag` to `take`; the rest goes to `head` as it is.
template <class Take>
void each(std::string_view bytes, field::Tag tag, std::string& head, Take take) {
  pbf_reader reader(view_of(bytes));
  for (const char* begin = reader.data().data(); reader.next(); begin = reader.data().data()) {
    if (reader.tag() == tag) {
      take(bytes_in(reader));
      continue;
    }
    reader.skip();
    head.append(begin, reader.data().data());
  }
}

}  // namespace

Result<RequestParts> RequestParts::read(ByteView request) {
  RequestParts parts;
  parts.request_ = spanwire::text_of(request);
  std::string nothing_known;
  try {
    each(parts.request_, field::kRequestResourceSpans, nothing_known,
         [&parts](std::string_view bytes) { parts.add_resource(bytes); });
  } catch (const protozero::exception& problem) {
    return fail(Errc::otlp_malformed, problem.what());
  }
  return parts;
}

void RequestParts::add_resource(std::string_view bytes) {
  Resource resource;
  each(bytes, field::kResourceSpansScopeSpans, resource.head,
       [this, &resource](std::string_view scope) { add_scope(scope, resource); });
  resources_.push_back(std::move(resource));
}

void RequestParts::add_scope(std::string_view bytes, Resource& to) {
  Scope scope;
  scope.first = spans_;
  each(bytes, field::kScopeSpansSpans, scope.head, [this, &scope](std::string_view span) {
    if (has_ids(span)) {
      scope.spans.push_back(span);
    } else {
      whole_ = false;
    }
  });
  spans_ += scope.spans.size();
  to.scopes.push_back(std::move(scope));
}

void RequestParts::encode(std::size_t first, std::size_t count, Buffer& out) {
  if (whole_ && count == spans_) return out.append(request_);
  std::string message;
  pbf_writer request(message);
  for (const Resource& resource : resources_) {
    std::string resource_spans = resource.head;
    pbf_writer scopes(resource_spans);
    for (const Scope& scope : resource.scopes) {
      const std::size_t begin = std::max(first, scope.first);
      const std::size_t end = std::min(first + count, scope.first + scope.spans.size());
      if (begin >= end) continue;
      std::string scope_spans = scope.head;
      pbf_writer spans(scope_spans);
      for (std::size_t at = begin; at < end; ++at) {
        spans.add_message(field::kScopeSpansSpans, view_of(scope.spans[at - scope.first]));
      }
      scopes.add_message(field::kResourceSpansScopeSpans, scope_spans);
    }
    if (resource_spans.size() == resource.head.size()) continue;
    request.add_message(field::kRequestResourceSpans, resource_spans);
  }
  out.append(message);
}

}  // namespace spanwire::otlp
