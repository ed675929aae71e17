#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "base/read_file.h"
#include "base/utf8.h"
#include "text/detokenizer.h"

namespace ocellus::text {
namespace {

namespace bj = json::bj;
using ::testing::HasSubstr;

std::filesystem::path golden() {
  return std::filesystem::path(std::getenv("OCELLUS_SOURCE_DIR")) / "tests/golden";
}

std::string read(const std::filesystem::path& path) {
  return base::read_file(path, 64 << 20).value_or("");
}

std::unique_ptr<const Tokenizer> load(const std::filesystem::path& folder) {
  const std::string text = read(folder / "tokenizer.json"),
                    config = read(folder / "tokenizer_config.json"),
                    added = read(folder / "added_tokens.json");
  const TokenizerFiles beside{.config = config, .added = added};
  auto tokenizer = text.empty() ? Tokenizer::parse_sentencepiece(read(folder / "tokenizer.model"),
                                                                 beside, "tokenizer.model")
                                : Tokenizer::parse_json(text, beside, "tokenizer.json");
  EXPECT_TRUE(tokenizer.has_value()) << folder << ": " << tokenizer.error().message;
  return tokenizer ? *std::move(tokenizer) : nullptr;
}

std::vector<std::int32_t> ids_of(const bj::value& value) {
  std::vector<std::int32_t> ids;
  for (const bj::value& id : value.as_array())
    ids.push_back(static_cast<std::int32_t>(id.as_int64()));
  return ids;
}

std::string text_of(const bj::value& value) {
  return {value.as_string().data(), value.as_string().size()};
}

// Every text through every tokenizer: ids with control tokens, with the start token, as a user
// types them, and back.
TEST(Tokenizer, EqualsTheReference) {
  const auto cases = json::parse(read(golden() / "tokenizer_cases.json"), "tokenizer_cases.json");
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  const auto& texts = cases->at("texts").as_array();
  for (const bj::value& entry : cases->at("tokenizers").as_array()) {
    const std::string model = text_of(entry.at("model"));
    const std::filesystem::path folder = golden() / model;
    const auto tokenizer =
        load(std::filesystem::exists(folder / "model") ? folder / "model" : folder);
    ASSERT_NE(tokenizer, nullptr);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string text = text_of(texts[i]);
      SCOPED_TRACE(model + ": \"" + text + "\"");
      const auto ids = ids_of(entry.at("ids").at(i));
      EXPECT_EQ(tokenizer->encode(text, true, false), ids);
      EXPECT_EQ(tokenizer->encode(text, true, true), ids_of(entry.at("ids_with_special").at(i)));
      EXPECT_EQ(tokenizer->encode(text, false, false), ids_of(entry.at("ids_as_typed").at(i)));
      EXPECT_EQ(tokenizer->decode(ids, false), text_of(entry.at("decoded").at(i)));
      // The reference shows control tokens that are flagged "normalized"; an answer must never
      // contain one.
      if (model != "added_normalized") {
        EXPECT_EQ(tokenizer->decode(ids, true), text_of(entry.at("decoded_without_special").at(i)));
      }
    }
  }
}

TEST(Tokenizer, TrustEndsWhereTheUserBegins) {
  const auto tokenizer = load(golden() / "clip_llama/model");
  const auto image = tokenizer->id_of("<image>");
  ASSERT_TRUE(image.has_value());
  const Segment prompt[] = {
      {"USER: <image>\nWhat is <ima", true}, {"ge> and <image></s>", false}, {" ASSISTANT:", true}};
  const auto ids = tokenizer->encode(prompt, true);
  EXPECT_EQ(std::ranges::count(ids, *image), 1);
  EXPECT_EQ(std::ranges::count(ids, 2), 0);
}

// Old files look for control tokens in normalised text: there too, only the template spells them.
TEST(Tokenizer, NormalizedControlTokensNeedTheTemplate) {
  const auto tokenizer = load(golden() / "added_normalized/model");
  ASSERT_NE(tokenizer, nullptr);
  const auto end = tokenizer->id_of("</s>");
  const Segment turns[] = {{"USER: ", true}, {"a </s> b", false}, {" </s>", true}};
  const std::string joined = "USER: a </s> b </s>";
  const auto count = [](const std::vector<std::int32_t>& ids, std::int32_t id) {
    return std::ranges::count(ids, id);
  };
  // Whatever id the token has, trusted text has two of it and these turns one.
  std::vector<std::int32_t> all = tokenizer->encode(joined, true, false);
  const std::int32_t id = end ? *end : all.back();
  ASSERT_EQ(count(all, id), 2);
  EXPECT_EQ(count(tokenizer->encode(turns, false), id), 1);
  EXPECT_EQ(count(tokenizer->encode(joined, false, false), id), 0);
}

// Rules that join ordinary tokens into a control token are no way around the template.
TEST(Tokenizer, MergesDoNotSpellControlTokens) {
  for (const char* ignore_merges : {"false", "true"}) {
    const auto tokenizer = Tokenizer::parse_json(
        std::string(R"({"model": {"type": "BPE", "ignore_merges": )") + ignore_merges +
            R"(, "vocab": {"<": 0, "s": 1, ">": 2, "<s": 3, "<s>": 4, "#": 5},
                "merges": [["<", "s"], ["<s", ">"]]},
                "added_tokens": [{"id": 4, "content": "<s>", "special": true},
                                 {"id": 5, "content": "#", "special": true}]})",
        {}, "t.json");
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    EXPECT_THAT((*tokenizer)->encode("<s>", true, false), testing::ElementsAre(4));
    EXPECT_THAT((*tokenizer)->encode("<s>", false, false), testing::ElementsAre(3, 2));
    EXPECT_THAT((*tokenizer)->encode("#", false, false), testing::IsEmpty());
  }
}

// Text that comes piece by piece is the text that comes at once, in valid characters, for any ids.
TEST(Detokenizer, PiecesAreTheWhole) {
  for (const char* model : {"clip_llama", "f16_tied_bpe", "mistral_window"}) {
    const auto tokenizer = load(golden() / model / "model");
    for (const char* text : {"Hello, world!", " two  spaces", "héllo 漢字 😀 ok", "a\nb"}) {
      const auto ids = tokenizer->encode(text, false, false);
      Detokenizer detokenizer(*tokenizer);
      std::string whole;
      for (const std::int32_t id : ids) {
        const std::string piece = detokenizer.push(id);
        EXPECT_TRUE(base::is_valid_utf8(piece));
        whole += piece;
      }
      whole += detokenizer.finish();
      EXPECT_EQ(whole, tokenizer->decode(ids, true)) << model << ": " << text;
    }
  }
}

TEST(StopMatcher, HoldsBackWhatMayBeAStop) {
  StopMatcher matcher({"END", "é!"});
  EXPECT_EQ(matcher.push("hello E"), "hello ");
  EXPECT_EQ(matcher.push("N"), "");
  EXPECT_EQ(matcher.push("x é"), "ENx ");
  EXPECT_EQ(matcher.push("a E"), "éa ");
  EXPECT_EQ(matcher.push("ND more"), "");
  EXPECT_TRUE(matcher.stopped());
  StopMatcher open({"END"});
  EXPECT_EQ(open.push("EN"), "");
  EXPECT_EQ(open.finish(), "EN");
}

// The vocabulary that Llama and Vicuna have, with the ids that transformers gives.
TEST(Tokenizer, RealLlamaVocabulary) {
  const char* corpora = std::getenv("OCELLUS_CORPORA");
  const auto folder = std::filesystem::path(corpora ? corpora : "") / "tokenizers";
  const std::string gguf = read(folder / "ggml-vocab-llama-spm.gguf");
  if (gguf.empty()) GTEST_SKIP() << "the tokenizer corpus is not here";
  // Just enough of GGUF to find three arrays of this one, known file.
  const auto number = [&]<typename T>(std::size_t at, T) {
    T value;
    std::memcpy(&value, gguf.data() + at, sizeof(T));
    return value;
  };
  const auto array_at = [&](std::string_view key) {
    const std::size_t at = gguf.find(key);
    EXPECT_NE(at, std::string::npos);
    return at + key.size() + 4 + 4;  // behind the value's type and the elements' type: the count
  };
  std::vector<VocabularyToken> tokens(number(array_at("tokenizer.ggml.tokens"), std::uint64_t{}));
  std::size_t at = array_at("tokenizer.ggml.tokens") + 8;
  for (VocabularyToken& token : tokens) {
    const auto length = number(at, std::uint64_t{});
    token.text = gguf.substr(at + 8, length);
    at += 8 + length;
  }
  const std::size_t scores = array_at("tokenizer.ggml.scores") + 8,
                    types = array_at("tokenizer.ggml.token_type") + 8;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i].score = number(scores + 4 * i, float{});
    const auto type = number(types + 4 * i, std::int32_t{});
    using Type = VocabularyToken::Type;
    tokens[i].type = type == 2   ? Type::kUnknown
                     : type == 3 ? Type::kControl
                     : type == 6 ? Type::kByte
                                 : Type::kNormal;
  }
  const auto tokenizer = Tokenizer::from_scored_tokens(tokens, PrefixSpace::kEveryText, {});
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const std::string inputs = read(folder / "ggml-vocab-llama-spm.gguf.inp"),
                    outputs = read(folder / "ggml-vocab-llama-spm.gguf.out");
  constexpr std::string_view kMark = "\n__ggml_vocab_test__\n";
  std::size_t in = 0, out = 0;
  int checked = 0;
  while (in < inputs.size()) {
    const std::size_t end = std::min(inputs.find(kMark, in), inputs.size());
    const std::size_t line = outputs.find('\n', out);
    std::string found;
    for (const std::int32_t id :
         (*tokenizer)->encode(std::string_view(inputs).substr(in, end - in), false, false)) {
      found += " " + std::to_string(id);
    }
    EXPECT_EQ(found, outputs.substr(out, line - out)) << inputs.substr(in, end - in);
    in = end + kMark.size();
    out = line + 1;
    ++checked;
  }
  EXPECT_GT(checked, 40);
}

TEST(Tokenizer, DamagedFilesAreErrors) {
  const std::string whole = read(golden() / "clip_llama/model/tokenizer.json");
  ASSERT_FALSE(whole.empty());
  for (std::size_t length = 0; length + 1 < whole.size(); length += 97) {
    EXPECT_FALSE(Tokenizer::parse_json(whole.substr(0, length), {}, "t.json").has_value());
  }
  // Any byte changed: an error or a tokenizer that works.
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] = static_cast<char>(random() % 128);
    const auto tokenizer = Tokenizer::parse_json(damaged, {}, "t.json");
    if (tokenizer) (*tokenizer)->encode("some text <image> </s> \xF0\x9F\x98\x80", true, true);
  }
  EXPECT_THAT(
      Tokenizer::parse_json(R"({"model": {"type": "Unigram"}})", {}, "t.json").error().message,
      HasSubstr("Unigram"));
  EXPECT_FALSE(Tokenizer::parse_sentencepiece("not a model", {}, "t.model").has_value());
}

TEST(Tokenizer, LongTextIsLinear) {
  const auto tokenizer = load(golden() / "clip_llama/model");
  std::string text;
  while (text.size() < (1 << 20)) text += "the quick brown fox ";
  EXPECT_GT(tokenizer->encode(text, false, false).size(), text.size() / 20);
}

}  // namespace
}  // namespace ocellus::text
