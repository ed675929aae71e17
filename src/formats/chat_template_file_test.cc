#include "formats/chat_template_file.h"

#include <gtest/gtest.h>

namespace ocellus::formats {
namespace {

TEST(ChatTemplate, EveryPlace) {
  EXPECT_EQ(parse_chat_template(R"({"chat_template":"abc"})", "t")->value(), "abc");
  EXPECT_EQ(
      parse_chat_template(
          R"({"chat_template":[{"name":"rag","template":"x"},{"name":"default","template":"abc"}]})",
          "t")
          ->value(),
      "abc");
  EXPECT_FALSE(parse_chat_template(R"({"bos_token":"<s>"})", "t")->has_value());
  EXPECT_FALSE(parse_chat_template(R"({"chat_template":3})", "t").has_value());
}

}  // namespace
}  // namespace ocellus::formats
