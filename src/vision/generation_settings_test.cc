#include "vision/generation_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/sampler.h"
#include "json/python_json.h"

namespace ocellus::vision {
namespace {

using ::testing::HasSubstr;
namespace bj = json::bj;

bj::value read_golden() {
  const std::string path =
      std::string(std::getenv("OCELLUS_SOURCE_DIR")) + "/tests/golden/sampling.json";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto value = json::parse_python(text, path);
  EXPECT_TRUE(value.has_value()) << path;
  return value ? *std::move(value) : bj::value();
}

template <typename T>
std::vector<T> numbers(const bj::value& array) {
  std::vector<T> found;
  for (const bj::value& item : array.as_array()) found.push_back(item.to_number<T>());
  return found;
}

// transformers' own distribution for files that use each sampler (make_sampling.py).
TEST(GenerationSettings, DrawAsTheReference) {
  constexpr int kDraws = 10000;
  const bj::value golden = read_golden();
  const auto ends = numbers<std::int32_t>(golden.at("end_tokens"));
  for (const bj::value& item : golden.at("cases").as_array()) {
    SCOPED_TRACE(bj::serialize(item));
    const auto logits = numbers<float>(item.at("logits"));
    const auto history = numbers<std::int32_t>(item.at("history"));
    const std::int64_t generated =
        std::ssize(history) - item.at("prompt").to_number<std::int64_t>();
    const auto config =
        formats::parse_generation_config(bj::serialize(item.at("generation_config")), "golden");
    ASSERT_TRUE(config.has_value()) << config.error().message;
    auto options = sampling_options(*config, ends, std::ssize(logits));
    ASSERT_TRUE(options.has_value()) << options.error().message;
    const auto choose = [&] {
      engine::Sampler sampler(*options, ends, config->max_new_tokens);
      std::vector<float> row = logits;
      const auto token = sampler.sample(row, history, generated);
      EXPECT_TRUE(token.has_value()) << token.error().message;
      return token.value_or(0);
    };
    if (!config->do_sample) {
      EXPECT_EQ(choose(), item.at("token").to_number<std::int32_t>());
      continue;
    }
    options->temperature = static_cast<float>(config->temperature);
    std::vector<int> counts(logits.size());
    for (int i = 0; i < kDraws; ++i) {
      options->seed = static_cast<std::uint64_t>(i);
      ++counts[static_cast<std::size_t>(choose())];
    }
    const auto probabilities = numbers<double>(item.at("probabilities"));
    for (std::size_t id = 0; id < counts.size(); ++id) {
      const double p = probabilities[id];
      // Five standard deviations and a half; the seeds are fixed, so this passes always or never.
      const double spread = p == 0 ? 0 : 5.5 * std::sqrt(kDraws * p * (1 - p)) + 1;
      EXPECT_NEAR(counts[id], kDraws * p, spread) << "token " << id;
    }
  }
}

TEST(GenerationSettings, IdsBeyondTheVocabularyAreNamed) {
  for (const char* const text : {R"({"bad_words_ids":[[3,12]]})", R"({"sequence_bias":[[[12],1]]})",
                                 R"({"forced_eos_token_id":12})"}) {
    const auto config = formats::parse_generation_config(text, "g");
    ASSERT_TRUE(config.has_value());
    const auto options = sampling_options(*config, {}, 12);
    ASSERT_FALSE(options.has_value()) << text;
    EXPECT_THAT(options.error().message, HasSubstr("expected ids from 0 to 11, found 12"));
  }
}

TEST(GenerationSettings, NothingLeftToChooseIsAnError) {
  const auto config = formats::parse_generation_config(R"({"suppress_tokens":[0,1,2]})", "g");
  ASSERT_TRUE(config.has_value());
  const auto options = sampling_options(*config, {}, 3);
  ASSERT_TRUE(options.has_value());
  engine::Sampler sampler(*options);
  std::vector<float> logits = {1, 2, 3};
  const auto token = sampler.sample(logits, {}, 0);
  ASSERT_FALSE(token.has_value());
  EXPECT_EQ(token.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace ocellus::vision
