#include "lib/inspect/json_fault.hpp"

#include <nlohmann/json.hpp>

namespace spanwire::inspect {
namespace {

// Where a line stops being JSON.  The fast parser does not say, so this one goes through the line
// once more, keeping nothing.
struct ParseFault : nlohmann::json_sax<nlohmann::json> {
  using Exception = nlohmann::json::exception;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&, const Exception& error) override {
    byte = position;
    text = error.what();
    // The library names itself first: only what follows is for users.
    const std::size_t end = text.find("] ");
    if (end != std::string::npos) text.erase(0, end + 2);
    return false;
  }

  std::size_t byte = 0;
  std::string text;
};

}  // namespace

bool may_have_half_pairs(std::string_view line) {
  for (std::size_t at = line.find("\\u"); at != std::string_view::npos;
       at = line.find("\\u", at + 2)) {
    if (at + 2 < line.size() && (line[at + 2] | 0x20) == 'd') return true;
  }
  return false;
}

bool is_json(std::string_view line) { return nlohmann::json::accept(line.begin(), line.end()); }

std::string json_fault_text(std::string_view line, bool complete, simdjson::error_code error) {
  ParseFault fault;
  if (nlohmann::json::sax_parse(line.begin(), line.end(), &fault)) {
    return std::string("not read: ") + simdjson::error_message(error);
  }
  // A file whose writer was killed ends like this: say that instead of what JSON would expect.
  if (!complete && fault.byte >= line.size()) {
    return "ends in the middle: its writer was stopped while writing";
  }
  return "not JSON: " + fault.text;
}

}  // namespace spanwire::inspect
