#include "spanwire/wire/headers.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spanwire/base/pool.hpp"
#include "tests/wire/vectors.hpp"

namespace spanwire::wire {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

Members members_of(const HeaderList& list) {
  Members members;
  for (const Header& header : list) members.emplace_back(header.name, header.value);
  return members;
}

Members members_of(const Json& expected) {
  Members members;
  for (const Json& member : expected) {
    members.emplace_back(bytes_from(member[0]), bytes_from(member[1]));
  }
  return members;
}

// A heap copy of the exact size: a read outside is then seen by the sanitizer.
class ExactBytes {
 public:
  explicit ExactBytes(std::string_view text)
      : bytes_(new char[text.size()]), view_(bytes_.get(), text.size()) {
    std::copy(text.begin(), text.end(), bytes_.get());
  }
  ByteView view() const { return bytes_of(view_); }

 private:
  std::unique_ptr<char[]> bytes_;
  std::string_view view_;
};

class HeaderListTest : public testing::Test {
 protected:
  Errc parse(std::string_view block) {
    block_ = std::make_unique<ExactBytes>(block);
    return list_.parse(block_->view());
  }
  std::string value(WellKnown known) const {
    const Header* header = list_.find(known);
    return header == nullptr ? "(none)" : std::string(header->value);
  }

  HeaderList list_;
  std::unique_ptr<ExactBytes> block_;
};

TEST_F(HeaderListTest, ReadsEveryVector) {
  const Json vectors = read_vectors("headers.json");
  ASSERT_GT(vectors.size(), 200u);
  for (const Json& vector : vectors) {
    SCOPED_TRACE(vector["name"].get<std::string>());
    EXPECT_EQ(name(parse(bytes_from(vector))), vector["fault"].get<std::string>());
    EXPECT_EQ(members_of(list_), members_of(vector["members"]));
    EXPECT_EQ(list_.skipped(), vector.value("skipped", 0u));
    EXPECT_EQ(list_.duplicates(), vector.value("duplicates", 0u));
    EXPECT_EQ(list_.dropped(), vector.value("dropped", 0u));
  }
}

// What the 64-byte windows of the scan see must not depend on where a string lies in them.
TEST_F(HeaderListTest, ReadsAMemberAtEveryPlace) {
  for (std::size_t before = 0; before < 140; ++before) {
    for (const std::string tail : {"", "\\n", "\xC3\xA9", "\x01", "\xFF"}) {
      const std::string block =
          "{\"" + std::string(before, 'p') + "\":\"v" + tail + "\",\"z\":\"1\"}";
      const Errc expected = tail == "\x01"   ? Errc::control_character
                            : tail == "\xFF" ? Errc::bad_utf8
                                             : Errc::ok;
      SCOPED_TRACE(block);
      EXPECT_EQ(parse(block), expected);
      ASSERT_NE(list_.find("z"), nullptr);
      EXPECT_EQ(list_.find("z")->value, "1");
    }
  }
}

TEST_F(HeaderListTest, RefusesABlockBeyondTheCallersLimit) {
  const std::string block = R"({"a":"b"})";
  EXPECT_EQ(list_.parse(bytes_of(block), block.size()), Errc::ok);
  EXPECT_EQ(list_.parse(bytes_of(block), block.size() - 1), Errc::headers_too_long);
  EXPECT_TRUE(list_.empty());
}

TEST_F(HeaderListTest, FindsNamesInAnyCase) {
  ASSERT_EQ(parse(R"({"X-Custom":"1","b":"2"})"), Errc::ok);
  EXPECT_EQ(list_.find("x-cUSTOM")->value, "1");
  EXPECT_EQ(list_.find("B")->value, "2");
  EXPECT_EQ(list_.find("x-custo"), nullptr);
}

TEST_F(HeaderListTest, KnowsTheNamesOfTheLibraryInAnyCase) {
  for (std::size_t i = 1; i < kWellKnownCount; ++i) {
    const auto known = static_cast<WellKnown>(i);
    std::string upper(name_of(known));
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    for (const std::string& text : {std::string(name_of(known)), upper}) {
      ASSERT_EQ(parse("{\"a\":\"0\",\"" + text + "\":\"1\"}"), Errc::ok);
      EXPECT_EQ(value(known), "1") << text;
      EXPECT_EQ(list_[1].known, known);
      EXPECT_EQ(list_.find(text), &list_[1]);
    }
    EXPECT_EQ(list_.find(WellKnown::none), nullptr);
  }
}

// Each byte of each name counts: a name that differs in one bit is another name, except for the bit
// of the case.
TEST_F(HeaderListTest, TakesNoNeighbourForAKnownName) {
  for (std::size_t i = 1; i < kWellKnownCount; ++i) {
    const auto known = static_cast<WellKnown>(i);
    for (std::size_t at = 0; at < name_of(known).size(); ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        std::string text(name_of(known));
        const bool letter = text[at] != '-';
        text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ (1u << bit));
        const WellKnown expected = letter && bit == 5 ? known : WellKnown::none;
        EXPECT_EQ(classify(text), expected) << text;
      }
    }
  }
}

TEST_F(HeaderListTest, SaysWhichKnownNameWasRepeated) {
  ASSERT_EQ(parse(R"({"traceparent":"1","tracestate":"s","Traceparent":"2"})"), Errc::ok);
  EXPECT_TRUE(list_.repeated(WellKnown::traceparent));
  EXPECT_FALSE(list_.repeated(WellKnown::tracestate));
  EXPECT_EQ(value(WellKnown::traceparent), "2");
  ASSERT_EQ(parse("{}"), Errc::ok);
  EXPECT_FALSE(list_.repeated(WellKnown::traceparent));
  EXPECT_EQ(value(WellKnown::traceparent), "(none)");
}

TEST_F(HeaderListTest, KeepsViewsOfUnescapedTextWhereTheyAre) {
  std::string block = "{";
  for (int i = 0; i < 100; ++i) {
    block += (i == 0 ? "\"k" : ",\"k") + std::to_string(i) + "\":\"\\u0061" +
             std::string(500, 'x') + "\"";
  }
  ASSERT_EQ(parse(block + "}"), Errc::ok);
  for (const Header& header : list_) EXPECT_EQ(header.value, "a" + std::string(500, 'x'));
}

TEST_F(HeaderListTest, TakesNoMemoryWithoutEscapes) {
  const std::string block =
      R"({"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","b":"c","n":1})";
  const std::int64_t before = pool_live();
  ASSERT_EQ(list_.parse(bytes_of(block)), Errc::ok);
  EXPECT_EQ(pool_live(), before);
}

// ---- Against nlohmann_json, an independent reading of the same text.

// Collects what a flat reading of the events says: string members in order, others counted.
struct Oracle : nlohmann::json_sax<Json> {
  Members members;
  std::size_t skipped = 0;
  std::size_t depth = 0;
  std::size_t depth_max = 0;
  bool object = false;
  std::string name;

  bool scalar() {
    if (depth == 1) ++skipped;
    return true;
  }
  bool null() override { return scalar(); }
  bool boolean(bool) override { return scalar(); }
  bool number_integer(number_integer_t) override { return scalar(); }
  bool number_unsigned(number_unsigned_t) override { return scalar(); }
  bool number_float(number_float_t, const string_t&) override { return scalar(); }
  bool binary(binary_t&) override { return scalar(); }
  bool string(string_t& text) override {
    if (depth != 1 || !object) return true;
    for (auto& member : members) {
      if (!same_name(member.first, name)) continue;
      member = {name, text};
      return true;
    }
    members.emplace_back(name, text);
    return true;
  }
  bool start(bool is_object) {
    if (depth == 0) object = is_object;
    if (depth == 1) ++skipped;
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
  bool parse_error(std::size_t, const std::string&, const Json::exception&) override {
    return false;
  }
};

// Text that is nearly a headers block: whole ones, and ones with a few bytes changed.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::string block() {
    std::string text = pick({"", " ", "\n\t"}) + "{";
    const std::size_t members = random_() % 6;
    for (std::size_t i = 0; i < members; ++i) {
      if (i != 0) text += pick({",", ", ", " ,"});
      text += "\"" + string() + "\"" + pick({":", ": ", " :"}) +
              (random_() % 4 != 0 ? "\"" + string() + "\"" : value(3));
    }
    text += pick({"}", " }", "}\n"});
    for (std::size_t changes = random_() % 4; changes > 1 && !text.empty(); --changes) change(text);
    return text;
  }

 private:
  std::string pick(const std::vector<std::string>& of) { return of[random_() % of.size()]; }

  std::string string() {
    static const std::vector<std::string> kPieces = {"a",
                                                     "B",
                                                     "traceparent",
                                                     "-",
                                                     "0123456789abcdef0123456789abcdef",
                                                     "\\n",
                                                     "\\\"",
                                                     "\\u00e9",
                                                     "\\ud83d\\ude80",
                                                     "\xC3\xA9",
                                                     "\xF0\x9F\x9A\x80",
                                                     " ",
                                                     "\x7F",
                                                     "{",
                                                     ":",
                                                     ",",
                                                     "\\/"};
    std::string text;
    for (std::size_t i = random_() % 5; i > 0; --i) text += pick(kPieces);
    return text;
  }

  std::string value(int depth) {
    static const std::vector<std::string> kScalars = {"1", "-0.5e3", "true", "false", "null", "0"};
    const std::uint32_t kind = depth == 0 ? 0 : static_cast<std::uint32_t>(random_() % 3);
    if (kind == 1) return "[" + value(depth - 1) + ", " + value(depth - 1) + "]";
    if (kind == 2) return "{\"" + string() + "\":" + value(depth - 1) + "}";
    return pick(kScalars);
  }

  void change(std::string& text) {
    static constexpr std::string_view kBytes = "\"\\{}[]:,u0dD8 \n\x01\x80\xC3\xFFx";
    const std::size_t at = random_() % text.size();
    switch (random_() % 3) {
      case 0:
        text[at] = kBytes[random_() % kBytes.size()];
        break;
      case 1:
        text.insert(at, 1, kBytes[random_() % kBytes.size()]);
        break;
      default:
        text.erase(at, 1 + random_() % 2);
    }
  }

  std::mt19937 random_;
};

TEST_F(HeaderListTest, AgreesWithAnIndependentReader) {
  std::size_t good = 0;
  std::size_t bad = 0;
  for (std::uint32_t seed = 0; seed < 20'000; ++seed) {
    const std::string block = Generator(seed).block();
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + block);
    Oracle oracle;
    // No block at all has no members, which is no JSON text.
    const bool accepted = block.empty() || (Json::sax_parse(block, &oracle) && oracle.object);
    const Errc code = parse(block);
    ASSERT_EQ(code == Errc::ok, accepted) << name(code);
    ++(accepted ? good : bad);
    if (!accepted) continue;
    ASSERT_EQ(members_of(list_), oracle.members);
    ASSERT_EQ(list_.skipped(), oracle.skipped);
  }
  EXPECT_GT(good, 5'000u);
  EXPECT_GT(bad, 2'000u);
}

}  // namespace
}  // namespace spanwire::wire
