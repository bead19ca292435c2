// One line of OTLP JSON into a Reader.  Internal to inspect.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/inspect/reader.hpp"

namespace spanwire::inspect {

class LineReader {
 public:
  LineReader(Reader& reader, std::string_view name, std::size_t line) noexcept
      : reader_(reader), name_(name), line_(line) {}

  void read(const nlohmann::json& root);

 private:
  using Json = nlohmann::json;

  void problem(const std::string& path, std::string_view text,
               ProblemKind kind = ProblemKind::damaged);
  void read_object(const Json& root);
  void read_error(const Json& error);
  void read_resource_spans(const Json& root, const char* key);
  // The id at `key`; none after a problem.  An absent or empty one is all zeros.
  template <class Id>
  std::optional<Id> read_id(const Json& object, const char* key, const std::string& path);
  // The array member `key`; null when absent or, after a problem, of another type.
  const Json* array(const Json& object, const char* key, const std::string& path);
  void read_scopes(const Json& resource, std::uint32_t process, const std::string& path);
  void read_scope_spans(const Json& json, std::uint32_t process, const std::string& path);
  void read_span(const Json& json, std::uint32_t process, std::uint32_t scope,
                 const std::string& path);
  bool read_ids(const Json& json, Span& span, const std::string& path);
  void read_status(const Json& json, Span& span);
  void read_events(const Json& json, Span& span, const std::string& path);
  void read_links(const Json& json, Span& span, const std::string& path);
  std::vector<Attribute> read_attributes(const Json& object, const char* key,
                                         const std::string& path, std::size_t depth = 0);
  Value read_value(const Json& json, const std::string& path, std::size_t depth);
  Process read_process(const Json& json, const std::string& path);

  Reader& reader_;
  std::string_view name_;
  std::size_t line_;
};

}  // namespace spanwire::inspect
