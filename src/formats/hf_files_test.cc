#include "formats/hf_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocellus::formats {
namespace {

using ::testing::ElementsAre;

TEST(GenerationConfig, SeveralEndTokensAndSampling) {
  const auto config = parse_generation_config(
      R"({"eos_token_id":[2,7],"do_sample":true,"temperature":0.6,"top_p":0.9,"max_length":4096})",
      "g");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_THAT(config->eos_tokens, ElementsAre(2, 7));
  EXPECT_TRUE(config->do_sample);
  EXPECT_EQ(config->top_p, 0.9);
  EXPECT_FALSE(parse_generation_config(R"({"temperature":"hot"})", "g").has_value());
}

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
