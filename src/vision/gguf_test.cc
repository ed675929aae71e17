// GGUF pairs against the Hugging Face directories that they were made from
// (tests/golden/make_gguf_pair.py): the same weights, so the same bits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/mapped_file.h"
#include "base/read_file.h"
#include "models/tokenizer.h"
#include "vision/test_golden.h"

namespace ocellus::vision {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;
using testing::golden;
using testing::message;

Result<Trace> answer(const fs::path& path, WeightType weights, const fs::path& mmproj = {}) {
  ModelOptions model{.path = path, .mmproj = mmproj, .weights = weights, .tower_weights = weights};
  model.prompt_template = "llava-1.5";  // these files carry no template
  return testing::answer(model);
}

// A tower as older converters wrote it, Llama's reordered queries; SigLIP and Qwen2 with biases.
TEST(Gguf, TheSameWeightsGiveTheSameLogits) {
  for (const char* name : {"clip_llama", "qwen2_chatml"}) {
    SCOPED_TRACE(name);
    const auto directory = answer(golden() / name / "model", WeightType::kF32);
    const auto pair = answer(golden() / "gguf" / name / "lm.gguf", WeightType::kF32);
    ASSERT_TRUE(directory.has_value()) << directory.error().message;
    ASSERT_TRUE(pair.has_value()) << pair.error().message;
    testing::expect_same(*directory, *pair);
  }
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b,
                          std::int64_t count) {
  double difference = 0, magnitude = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    difference = std::max(difference, std::abs(static_cast<double>(a[at] - b[at])));
    magnitude = std::max(magnitude, std::abs(static_cast<double>(b[at])));
  }
  return difference / magnitude;
}

// Weights held in blocks are multiplied in 8-bit integers: near what their values give in f32,
// which is near what the values gave that were rounded. A folder needs no names.
TEST(Gguf, HeldInBlocksIsNearExpanded) {
  const fs::path folder = golden() / "gguf/mistral_gqa";
  const auto blocks = answer(folder, WeightType::kAuto);
  const auto expanded = answer(folder, WeightType::kF32);
  const auto exact = answer(golden() / "mistral_gqa/model", WeightType::kF32);
  ASSERT_TRUE(blocks.has_value()) << blocks.error().message;
  ASSERT_TRUE(expanded.has_value()) << expanded.error().message;
  ASSERT_TRUE(exact.has_value());
  EXPECT_EQ(blocks->pixel_values, expanded->pixel_values);
  EXPECT_EQ(blocks->input_ids, expanded->input_ids);
  EXPECT_EQ(exact->input_ids, blocks->input_ids);
  // The first token's: later ones follow other tokens.
  const double arithmetic = largest_difference(blocks->logits, expanded->logits, exact->vocabulary);
  EXPECT_GT(arithmetic, 0);
  EXPECT_LT(arithmetic, 0.05);
  const double rounding = largest_difference(expanded->logits, exact->logits, exact->vocabulary);
  EXPECT_GT(rounding, 0);
  EXPECT_LT(rounding, 0.05);
}

// The vocabulary that Llama and Vicuna have, as a GGUF file, with the ids that transformers gives.
TEST(Gguf, RealLlamaVocabulary) {
  const char* corpora = std::getenv("OCELLUS_CORPORA");
  const fs::path folder = fs::path(corpora != nullptr ? corpora : "") / "tokenizers";
  const auto mapped = base::MappedFile::open(folder / "ggml-vocab-llama-spm.gguf");
  if (!mapped) GTEST_SKIP() << "no corpora beside the checkout";
  const auto file = formats::GgufFile::parse(mapped->bytes(), "vocabulary");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto vocabulary = formats::read_gguf_vocabulary(*file);
  ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
  ASSERT_EQ(vocabulary->tokens.size(), 32000u);
  const auto tokenizer = models::make_tokenizer(*vocabulary, 32000);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_THAT((*tokenizer)->prefix_tokens(), ::testing::ElementsAre(1));

  const std::string inputs =
      *base::read_file(folder / "ggml-vocab-llama-spm.gguf.inp", std::size_t{1} << 20);
  std::ifstream outputs(folder / "ggml-vocab-llama-spm.gguf.out");
  constexpr std::string_view kMark = "\n__ggml_vocab_test__\n";
  int checked = 0;
  for (std::size_t at = 0; at < inputs.size(); ++checked) {
    const std::size_t end = std::min(inputs.find(kMark, at), inputs.size());
    const std::string text = inputs.substr(at, end - at);
    std::string expected;
    ASSERT_TRUE(std::getline(outputs, expected));
    std::string found;
    for (const std::int32_t id : (*tokenizer)->encode(text, false, false))
      found += " " + std::to_string(id);
    EXPECT_EQ(found, expected) << text;
    at = end + kMark.size();
  }
  EXPECT_GE(checked, 40);
}

using GgufTest = testing::FolderTest;

TEST_F(GgufTest, WhatIsNoPairIsAnError) {
  const fs::path gguf = golden() / "gguf";
  EXPECT_THAT(
      message(answer(gguf / "clip_llama/lm.gguf", WeightType::kAuto, gguf / "clip_llama/lm.gguf")),
      HasSubstr("expected clip (a tower), found \"llama\""));
  EXPECT_THAT(message(answer(gguf / "clip_llama/mmproj.gguf", WeightType::kAuto,
                             gguf / "clip_llama/mmproj.gguf")),
              HasSubstr("--mmproj"));
  EXPECT_THAT(message(answer(golden() / "clip_llama/model", WeightType::kAuto,
                             gguf / "clip_llama/mmproj.gguf")),
              HasSubstr("expected a GGUF language model beside --mmproj"));
  EXPECT_THAT(message(answer(gguf / "none.gguf", WeightType::kAuto)), HasSubstr("none.gguf"));
  EXPECT_THAT(message(answer(gguf / "clip_llama/lm.gguf", WeightType::kAuto, gguf / "none.gguf")),
              HasSubstr("none.gguf"));
  // Another model's tower, of another width.
  fs::copy_file(gguf / "clip_llama/lm.gguf", folder_ / "lm.gguf");
  EXPECT_THAT(message(answer(folder_ / "lm.gguf", WeightType::kAuto)),
              HasSubstr("give its tower with --mmproj"));
  std::ofstream(folder_ / "damaged.gguf") << "GGUF and nothing more";
  EXPECT_THAT(
      message(answer(folder_ / "damaged.gguf", WeightType::kAuto, gguf / "clip_llama/mmproj.gguf")),
      HasSubstr("damaged.gguf"));
}

}  // namespace
}  // namespace ocellus::vision
