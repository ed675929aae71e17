// Answers held to a form, token by token, over the vocabularies of the reference's tokenizers.
#include "text/constraint/token_constraint.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "base/read_file.h"
#include "json/json.h"
#include "text/constraint/response_grammar.h"
#include "text/detokenizer.h"

namespace ocellus::text {
namespace {

std::shared_ptr<const Grammar> grammar(const ResponseFormat& format) {
  auto made = response_grammar(format);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return made.value_or(nullptr);
}

constexpr const char* kSchema = R"({"type":"object","properties":{
    "name":{"type":"string","maxLength":12},"tags":{"type":"array","items":{"enum":["red","blue"]},"maxItems":3},
    "score":{"type":"number","minimum":0,"maximum":1}},"required":["name","tags","score"]})";

class EveryVocabulary : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const auto folder =
        std::filesystem::path(std::getenv("OCELLUS_SOURCE_DIR")) / "tests/golden" / GetParam();
    const auto read = [&](const char* name) {
      return base::read_file(folder / name, 64 << 20).value_or("");
    };
    const std::string json = read("tokenizer.json"), config = read("tokenizer_config.json");
    const TokenizerFiles beside{.config = config};
    auto made = json.empty()
                    ? Tokenizer::parse_sentencepiece(read("tokenizer.model"), beside, "model")
                    : Tokenizer::parse_json(json, beside, "json");
    ASSERT_TRUE(made.has_value()) << made.error().message;
    tokenizer_ = *std::move(made);
    vocabulary_ = VocabularyBytes::make(*tokenizer_);
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const VocabularyBytes> vocabulary_;
};

// Any tokens that are allowed make a text that is JSON, whatever comes before the end is closed.
TEST_P(EveryVocabulary, RandomTokensAreAlwaysClosed) {
  const auto form = grammar({.kind = ResponseFormat::Kind::kJsonSchema, .text = kSchema});
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    TokenConstraint constraint(form, vocabulary_);
    Detokenizer detokenizer(*tokenizer_);
    std::string text;
    const int free_tokens = static_cast<int>(random() % 40);
    for (int i = 0; i < free_tokens && !constraint.must_end(); ++i) {
      const std::vector<bool> allowed = constraint.allowed();
      std::vector<std::int32_t> ids;
      for (std::size_t id = 0; id < allowed.size(); ++id)
        if (allowed[id]) ids.push_back(static_cast<std::int32_t>(id));
      ASSERT_FALSE(ids.empty());
      const std::int32_t id = ids[random() % ids.size()];
      ASSERT_TRUE(constraint.allows(id));
      const auto closing = constraint.closing_after(id);
      constraint.accept(id);
      ASSERT_EQ(closing, constraint.closing());
      text += detokenizer.push(id);
    }
    for (const std::int32_t id : constraint.closing()) {
      ASSERT_TRUE(constraint.allows(id));
      constraint.accept(id);
      text += detokenizer.push(id);
    }
    text += detokenizer.finish();
    EXPECT_TRUE(constraint.may_end() && constraint.must_end());
    const auto parsed = json::parse(text, "answer");
    ASSERT_TRUE(parsed.has_value()) << text << ": " << parsed.error().message;
    EXPECT_TRUE(parsed->as_object().contains("score")) << text;
  }
}

// The mask of all tokens says what each token's own check says.
TEST_P(EveryVocabulary, TheMaskIsWhatEachTokenSays) {
  TokenConstraint constraint(grammar({.kind = ResponseFormat::Kind::kJsonSchema, .text = kSchema}),
                             vocabulary_);
  for (int step = 0; step < 6 && !constraint.must_end(); ++step) {
    const std::vector<bool> allowed = constraint.allowed();
    for (std::size_t id = 0; id < tokenizer_->vocabulary_size(); ++id)
      ASSERT_EQ(id < allowed.size() && allowed[id],
                constraint.allows(static_cast<std::int32_t>(id)))
          << step << ": " << tokenizer_->token_text(static_cast<std::int32_t>(id));
    constraint.accept(constraint.closing().front());
  }
}

TEST_P(EveryVocabulary, WhatMustComeIsKnown) {
  TokenConstraint constraint(grammar({.kind = ResponseFormat::Kind::kJsonSchema, .text = kSchema}),
                             vocabulary_);
  std::string text;
  for (const std::int32_t id : constraint.forced(100)) text += vocabulary_->bytes_of(id);
  EXPECT_EQ(text, "{\"name\":\"");
}

INSTANTIATE_TEST_SUITE_P(Golden, EveryVocabulary,
                         ::testing::Values("clip_llama/model", "f16_tied_bpe/model"));

}  // namespace
}  // namespace ocellus::text
