#include "lib/base/json_number.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <string>

namespace spanwire {
namespace {

std::string text_of(double value) {
  char text[32];
  return {text, write_json_number(text, text + sizeof text, value)};
}

TEST(JsonNumber, IsTheShortestThatReadersTakeForIt) {
  EXPECT_EQ(text_of(0), "0");
  EXPECT_EQ(text_of(-0.5), "-0.5");
  EXPECT_EQ(text_of(1), "1");
  EXPECT_EQ(text_of(9'007'199'254'740'991), "9007199254740991");
  EXPECT_EQ(text_of(1e300), "1e+300");
}

// Digits alone would be an integer: beyond 64 bits simdjson refuses the whole document.
TEST(JsonNumber, IsNoIntegerThatReadersCannotHold) {
  for (const double value : {9'007'199'254'740'992.0, 477'614'771'317'543'534'592.0, 1e20, 1e17}) {
    for (const double number : {value, -value}) {
      const std::string text = text_of(number);
      EXPECT_NE(text.find('e'), std::string::npos) << text;
      EXPECT_EQ(std::strtod(text.c_str(), nullptr), number) << text;
    }
  }
  EXPECT_LE(text_of(std::numeric_limits<double>::lowest()).size(), 32u);
}

}  // namespace
}  // namespace spanwire
