#include "lib/base/base64.hpp"

#include <gtest/gtest.h>

#include <string>

#include "spanwire/base/random.hpp"

namespace spanwire {
namespace {

TEST(Base64, IsThatOfTheRfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode_base64(bytes), text);
    EXPECT_EQ(decode_base64(text), bytes);
    EXPECT_EQ(decode_base64_leniently(text), bytes);
  }
}

TEST(Base64, EveryByteComesBack) {
  Random random(1);
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
    bytes += static_cast<char>(random.next());
  }
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zm8", "Zm9vY===", "====", "Zg==Zg==", "Zm9\n", "Zm!v", "-_-_", "=Zm9"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

TEST(Base64, IsReadLenientlyUpToWhatIsNone) {
  EXPECT_EQ(decode_base64_leniently("Zm8"), "fo");
  EXPECT_EQ(decode_base64_leniently("Zm9v!Zm9v"), "foo");
  EXPECT_EQ(decode_base64_leniently("-_8="), decode_base64_leniently("+/8="));
}

}  // namespace
}  // namespace spanwire
