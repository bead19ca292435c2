// The headers parser and writer.  What is accepted is what nlohmann_json accepts, with the same
// members; what was parsed can be written and parsed again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/wire/headers.hpp"
#include "spanwire/wire/utf8.hpp"

namespace {

using spanwire::ByteView;
using spanwire::Errc;
using spanwire::wire::Header;
using spanwire::wire::HeaderList;
using Json = nlohmann::json;
using Members = std::vector<std::pair<std::string, std::string>>;

void require(bool holds) {
  if (!holds) std::abort();
}

// String members in order, a later one of the same name in the place of the first.
struct Oracle : nlohmann::json_sax<Json> {
  Members members;
  std::size_t depth = 0;
  std::size_t depth_max = 0;
  bool object = false;
  bool number_too_large = false;
  std::string name;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool string(string_t& text) override {
    if (depth != 1 || !object) return true;
    for (auto& member : members) {
      if (!spanwire::wire::same_name(member.first, name)) continue;
      member = {name, text};
      return true;
    }
    members.emplace_back(name, text);
    return true;
  }
  bool start(bool is_object) {
    if (depth == 0) object = is_object;
    depth_max = std::max(depth_max, ++depth);
    return true;
  }
  bool start_object(std::size_t) override { return start(true); }
  bool start_array(std::size_t) override { return start(false); }
  bool end_object() override { return --depth, true; }
  bool end_array() override { return --depth, true; }
  bool key(string_t& text) override {
    if (depth == 1) name = text;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    number_too_large = error.id == 406;
    return false;
  }
};

Members members_of(const HeaderList& list) {
  Members members;
  for (const Header& header : list) members.emplace_back(header.name, header.value);
  return members;
}

// Texts on which the oracle is known to judge otherwise than RFC 8259, or than our limits do.
bool comparable(const std::string& text, const Oracle& oracle) {
  if (text.empty() || text.find('\0') != std::string::npos) return false;  // read as the end
  if (text.starts_with("\xEF\xBB\xBF")) return false;                      // a mark is skipped
  return !oracle.number_too_large && oracle.depth_max <= spanwire::wire::kHeaderDepthMax &&
         oracle.members.size() < spanwire::wire::kHeaderMembersMax;
}

void compare(const std::string& text, Errc code, const HeaderList& list) {
  Oracle oracle;
  const bool accepted = Json::sax_parse(text, &oracle) && oracle.object;
  if (!comparable(text, oracle)) return;
  require((code == Errc::ok) == accepted);
  if (accepted) require(members_of(list) == oracle.members);
}

void write_again(const HeaderList& list) {
  spanwire::Buffer buffer;
  spanwire::wire::HeaderWriter writer(buffer);
  for (const Header& header : list) {
    require(spanwire::wire::valid_utf8(header.name) && spanwire::wire::valid_utf8(header.value));
    // Escapes may take more room than they had.
    if (writer.add(header.name, header.value) != Errc::ok) return;
  }
  const ByteView block = writer.finish();
  HeaderList back;
  require(back.parse(block) == Errc::ok);
  require(back.size() == list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    require(spanwire::wire::same_name(back[i].name, list[i].name));
    require(back[i].value == list[i].value);
    require(back[i].known == list[i].known);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  HeaderList list;
  const Errc code = list.parse({reinterpret_cast<const std::byte*>(data), size});
  require(list.size() <= spanwire::wire::kHeaderMembersMax);
  for (const Header& header : list) {
    require(header.known == spanwire::wire::classify(header.name));
    require(list.find(header.name) == &header);
  }
  if (code == Errc::headers_too_long) return 0;
  compare(std::string(reinterpret_cast<const char*>(data), size), code, list);
  write_again(list);
  return 0;
}
