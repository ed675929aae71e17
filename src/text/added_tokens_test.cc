// Expected values: transformers 5.24, AutoTokenizer.from_pretrained() of the same files.
#include "text/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace ocellus::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Six tokens, of which "<b>" is no added token.
constexpr const char* kTokenizer = R"({"added_tokens": [
    {"id": 6, "content": "<a>", "special": false, "normalized": false,
     "lstrip": false, "rstrip": false, "single_word": false}],
  "model": {"type": "BPE", "merges": [],
            "vocab": {"x": 0, "y": 1, "<": 2, ">": 3, "a": 4, "<b>": 5}}})";

std::unique_ptr<const Tokenizer> load(const TokenizerFiles& beside) {
  auto tokenizer = Tokenizer::parse_json(kTokenizer, beside, "tokenizer.json");
  EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  return *std::move(tokenizer);
}

TEST(AddedTokens, OfTheConfigurationTakeTheVocabularysIdsOrTheNextFree) {
  const auto tokenizer = load({.config = R"({"added_tokens_decoder": {
      "40": {"content": "<late>", "special": true},
      "12": {"content": "<early>", "special": true},
      "5": {"content": "<b>", "special": true}}})"});
  EXPECT_THAT(tokenizer->encode("x<b><early><late>", true, false), ElementsAre(0, 5, 7, 8));
  EXPECT_TRUE(tokenizer->is_special(5));
}

TEST(AddedTokens, OfTheConfigurationChangeFlagsOfOthers) {
  EXPECT_FALSE(load({})->is_special(6));
  const auto tokenizer =
      load({.config = R"({"added_tokens_decoder": {"6": {"content": "<a>", "special": true}}})"});
  EXPECT_TRUE(tokenizer->is_special(6));
  EXPECT_THAT(tokenizer->encode("x<a>", true, false), ElementsAre(0, 6));
}

TEST(AddedTokens, NamedAsSpecialAreAdded) {
  const auto tokenizer = load({.config = R"({"pad_token": "<pad>", "image_token": "<image>",
      "eos_token": {"__type": "AddedToken", "content": "<b>"}, "add_bos_token": true,
      "extra_special_tokens": ["<one>"]})"});
  EXPECT_THAT(tokenizer->encode("<b><pad><image><one>", true, false), ElementsAre(5, 7, 8, 9));
}

TEST(AddedTokens, OfTheOlderFilesAreReadWhereTheConfigurationHasNone) {
  const TokenizerFiles files{.config = "{}",
                             .special_map = R"({"pad_token": {"content": "<pad>"}})",
                             .added = R"({"<pad>": 8, "<more>": 7})"};
  const auto tokenizer = load(files);
  EXPECT_THAT(tokenizer->encode("<more><pad>", true, false), ElementsAre(7, 8));
  EXPECT_TRUE(tokenizer->is_special(8));
  EXPECT_FALSE(tokenizer->is_special(7));
  TokenizerFiles newer = files;
  newer.config = R"({"added_tokens_decoder": {}})";
  EXPECT_EQ(load(newer)->id_of("<more>"), std::nullopt);
}

TEST(AddedTokens, DamagedFilesAreNamed) {
  const auto message = [](const TokenizerFiles& files) {
    const auto tokenizer = Tokenizer::parse_json(kTokenizer, files, "tokenizer.json");
    return tokenizer ? std::string() : tokenizer.error().message;
  };
  EXPECT_THAT(message({.config = R"({"added_tokens_decoder": {"-1": {"content": "<q>"}}})"}),
              HasSubstr("tokenizer_config.json: added_tokens_decoder: -1: expected an id"));
  EXPECT_THAT(message({.config = "", .special_map = "", .added = R"({"<q>": 1.5})"}),
              HasSubstr("added_tokens.json: <q>: expected an id"));
  EXPECT_THAT(message({.config = "[]"}), HasSubstr("tokenizer_config.json: expected an object"));
}

}  // namespace
}  // namespace ocellus::text
