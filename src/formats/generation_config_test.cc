#include "formats/generation_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocellus::formats {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(GenerationConfig, SeveralEndTokensAndSampling) {
  const auto config = parse_generation_config(
      R"({"eos_token_id":[2,7],"do_sample":true,"temperature":0.6,"top_p":0.9,"max_length":4096})",
      "g");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_THAT(config->eos_tokens, ElementsAre(2, 7));
  EXPECT_TRUE(config->do_sample);
  EXPECT_EQ(config->top_p, 0.9);
  EXPECT_EQ(config->top_k, 50);  // the reference's default
}

TEST(GenerationConfig, RulesForTokens) {
  const auto config = parse_generation_config(
      R"({"bad_words_ids":[[3],[4,5]],"sequence_bias":[[[6,7],-1.5],[[8],2]],"suppress_tokens":[-1,9],
          "forced_eos_token_id":2,"exponential_decay_length_penalty":[20,1.05],"typical_p":1.2,
          "epsilon_cutoff":1.5,"suppress_tokens_of_others":null,"forced_bos_token_id":null})",
      "g");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_THAT(config->bad_words, ElementsAre(ElementsAre(3), ElementsAre(4, 5)));
  EXPECT_THAT(config->sequence_bias,
              ElementsAre(Pair(ElementsAre(6, 7), -1.5), Pair(ElementsAre(8), 2)));
  EXPECT_THAT(config->suppress_tokens, ElementsAre(-1, 9));
  EXPECT_THAT(config->forced_eos_tokens, ElementsAre(2));
  EXPECT_FALSE(config->forced_bos_token.has_value());
  EXPECT_EQ(config->decay_start, 20);
  EXPECT_EQ(config->decay_factor, 1.05);
  EXPECT_EQ(config->typical_p, 1);  // off, as in the reference
  EXPECT_EQ(config->epsilon_cutoff, 0);
  EXPECT_EQ(config->unsupported, "");
}

TEST(GenerationConfig, OtherWaysOfGeneratingAreNamed) {
  const struct {
    const char* text;
    const char* unsupported;
  } cases[] = {
      {R"({"num_beams":4})", "num_beams: expected 1, found 4"},
      {R"({"num_beams":1,"num_beam_groups":2})", "num_beam_groups: expected 1, found 2"},
      {R"({"penalty_alpha":0.6,"top_k":4})", "penalty_alpha: expected 0, found 0.6"},
      {R"({"penalty_alpha":0.6,"top_k":1})", ""},
      {R"({"penalty_alpha":0.6,"do_sample":true})", ""},
      {R"({"guidance_scale":1.5})", "guidance_scale: expected 1, found 1.5"},
      {R"({"guidance_scale":null,"force_words_ids":null,"length_penalty":2,"early_stopping":true})",
       ""},
      {R"({"encoder_no_repeat_ngram_size":0,"encoder_repetition_penalty":1.0,"diversity_penalty":0.0})",
       ""},
      {R"({"force_words_ids":[[5]]})", "force_words_ids: expected none, found one"},
      {R"({"stop_strings":["."]})", "stop_strings: expected none, found one"},
      {R"({"token_healing":true})", "token_healing: expected false, found true"},
  };
  for (const auto& [text, unsupported] : cases) {
    const auto config = parse_generation_config(text, "g");
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->unsupported, unsupported) << text;
  }
}

TEST(GenerationConfig, WrongValuesAreNamed) {
  const struct {
    const char* text;
    const char* key;
  } cases[] = {
      {R"({"temperature":"hot"})", "temperature"},
      {R"({"top_h":0})", "top_h"},
      {R"({"min_p":1.5})", "min_p"},
      {R"({"typical_p":0})", "typical_p"},
      {R"({"no_repeat_ngram_size":-1})", "no_repeat_ngram_size"},
      {R"({"bad_words_ids":[3]})", "bad_words_ids"},
      {R"({"bad_words_ids":[[]]})", "bad_words_ids"},
      {R"({"bad_words_ids":[[-3]]})", "bad_words_ids"},
      {R"({"sequence_bias":[[[3],"x"]]})", "sequence_bias"},
      {R"({"sequence_bias":{"3":-1.0}})", "sequence_bias"},
      {R"({"exponential_decay_length_penalty":[2.5,1.1]})", "exponential_decay_length_penalty"},
      {R"({"forced_eos_token_id":[1.5]})", "forced_eos_token_id"},
      {R"({"num_beams":"many"})", "num_beams"},
  };
  for (const auto& [text, key] : cases) {
    const auto config = parse_generation_config(text, "the file");
    ASSERT_FALSE(config.has_value()) << text;
    EXPECT_EQ(config.error().code, ErrorCode::kBadModel);
    EXPECT_THAT(config.error().message, HasSubstr(std::string("the file: ") + key));
  }
}

}  // namespace
}  // namespace ocellus::formats
