// One line of OTLP JSON after another into a SpanReader.  Internal to inspect.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/inspect/span_splitter.hpp"
#include "spanwire/inspect/span_reader.hpp"

namespace spanwire::inspect {

// Bytes behind a line that the parser may look at, whatever they are.
inline constexpr std::size_t kLinePadding = simdjson::SIMDJSON_PADDING;

// Where in the document a value is; text only once there is a problem to report.
struct JsonPath {
  static constexpr std::size_t kNoIndex = static_cast<std::size_t>(-1);

  const JsonPath* up = nullptr;
  const char* key = "";
  std::size_t index = kNoIndex;

  std::string text() const;
};

class LineReader {
 public:
  explicit LineReader(SpanReader& reader);

  // `complete`: the line has its end, so nothing was cut off.  `place`: of a piece of a document,
  // for problems.
  void read(std::string_view name, std::size_t number, std::string_view line, bool complete,
            const PiecePlace& place = {});

 private:
  using Json = simdjson::dom::element;
  using Array = simdjson::dom::array;
  using Object = simdjson::dom::object;
  struct SpanMembers;

  void problem(const JsonPath& path, std::string_view text,
               ProblemKind kind = ProblemKind::damaged);
  // Both are false, after a problem, for what is something else; an absent array is none.
  bool object_of(Json json, const JsonPath& path, Object& object);
  bool array_of(const std::optional<Json>& json, const JsonPath& path, Array& array);

  void read_traces(Json root, const JsonPath& path);
  void read_error(Object error, const JsonPath& path);
  void read_resources(const std::optional<Json>& json, JsonPath path);
  void read_resource(Object resource, const JsonPath& path);
  Process read_process(Object object, const JsonPath& path);
  void read_scope_spans(Json json, std::uint32_t process, const JsonPath& path);
  bool read_span(Json json, std::uint32_t process, std::uint32_t scope, const JsonPath& path);
  // False after a problem.
  template <class Id>
  bool read_id(const std::optional<Json>& json, const JsonPath& path, Id& id);
  bool read_ids(const SpanMembers& members, const JsonPath& path);
  void read_status(const std::optional<Json>& json);
  void read_events(const std::optional<Json>& json, JsonPath path);
  void read_links(const std::optional<Json>& json, JsonPath path);
  void read_attributes(const std::optional<Json>& json, std::vector<Attribute>& attributes,
                       JsonPath path, std::size_t depth = 0);
  Value read_value(Json json, const JsonPath& path, std::size_t depth);
  Value read_array(const std::optional<Json>& json, JsonPath path, std::size_t depth);

  SpanReader& reader_;
  simdjson::dom::parser parser_;
  Span span_;  // its memory serves one span after another
  std::string_view name_;
  std::size_t number_ = 0;
  PiecePlace place_;
};

}  // namespace spanwire::inspect
