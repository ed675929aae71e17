#include "engine/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace ocellus::engine {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

const std::vector<float> kLogits = {2.0f,  1.5f,  1.5f,  1.0f, 0.5f, 0.0f,
                                    -0.5f, -1.0f, -2.0f, 3.0f, 2.5f, -4.0f};
const std::vector<std::int32_t> kHistory = {9, 0, 6, 9, 11};

std::int32_t draw(const SamplingOptions& options, std::vector<float> logits, std::uint64_t k,
                  std::span<const std::int32_t> history = {}) {
  Sampler sampler(options);
  const auto token = sampler.sample(logits, history, k);
  EXPECT_TRUE(token.has_value()) << token.error().message;
  return token.value_or(-1);
}

TEST(Sampler, ZeroTemperatureTakesTheLargestAndTheLowestIdAmongEquals) {
  EXPECT_EQ(draw({}, kLogits, 0), 9);
  EXPECT_EQ(draw({}, {1, 7, 7, 7}, 3), 1);
  EXPECT_EQ(draw({}, {-kInfinity, -5, -kInfinity}, 3), 1);
  EXPECT_EQ(draw({.top_p = 0.1f, .top_k = 2, .min_p = 0.9f, .seed = 5}, kLogits, 0), 9);
}

struct Reference {
  SamplingOptions options;
  std::vector<double> probabilities;
};

// What transformers' processors make of kLogits after kHistory, and the softmax of it.
std::vector<Reference> references() {
  return {
      {{.temperature = 1},
       {0.134065, 0.081314, 0.081314, 0.04932, 0.029914, 0.018144, 0.011005, 0.006675, 0.002455,
        0.364426, 0.221036, 0.000332}},
      {{.temperature = 0.5f},
       {0.082946, 0.030514, 0.030514, 0.011225, 0.00413, 0.001519, 0.000559, 0.000206, 2.8e-05,
        0.61289, 0.22547, 1e-06}},
      {{.temperature = 2.5f},
       {0.1253, 0.102587, 0.102587, 0.083991, 0.068766, 0.056301, 0.046095, 0.03774, 0.025298,
        0.186926, 0.153042, 0.011367}},
      {{.temperature = 1, .top_k = 3}, {0.186324, 0, 0, 0, 0, 0, 0, 0, 0, 0.50648, 0.307196, 0}},
      // The fourth and the fifth are equal: both stay.
      {{.temperature = 1, .top_k = 4},
       {0.151974, 0.092177, 0.092177, 0, 0, 0, 0, 0, 0, 0.413109, 0.250563, 0}},
      {{.temperature = 1, .top_k = 50},
       {0.134065, 0.081314, 0.081314, 0.04932, 0.029914, 0.018144, 0.011005, 0.006675, 0.002455,
        0.364426, 0.221036, 0.000332}},
      {{.temperature = 1, .top_p = 0.5f}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0.622459, 0.377541, 0}},
      {{.temperature = 1, .top_p = 0.85f},
       {0.151974, 0.092177, 0.092177, 0, 0, 0, 0, 0, 0, 0.413109, 0.250563, 0}},
      {{.temperature = 2, .top_p = 0.8f},
       {0.152224, 0.118553, 0.118553, 0.092329, 0.071906, 0, 0, 0, 0, 0.250976, 0.19546, 0}},
      {{.temperature = 1, .min_p = 0.3f}, {0.186324, 0, 0, 0, 0, 0, 0, 0, 0, 0.50648, 0.307196, 0}},
      {{.temperature = 2, .min_p = 0.3f},
       {0.164018, 0.127738, 0.127738, 0.099482, 0, 0, 0, 0, 0, 0.270421, 0.210604, 0}},
      {{.temperature = 1, .repetition_penalty = 2},
       {0.078599, 0.129587, 0.129587, 0.078599, 0.047673, 0.028915, 0.010637, 0.010637, 0.003913,
        0.129587, 0.352255, 1e-05}},
      {{.temperature = 1, .repetition_penalty = 0.5f},
       {0.112352, 0.009222, 0.009222, 0.005594, 0.003393, 0.002058, 0.001603, 0.000757, 0.000278,
        0.830174, 0.025069, 0.000278}},
      // All at once: only the reference's order gives these.
      {{.temperature = 1.5f, .top_p = 0.9f, .top_k = 8, .min_p = 0.2f, .repetition_penalty = 1.3f},
       {0.129591, 0.12631, 0.12631, 0.090505, 0.06485, 0, 0, 0, 0, 0.216416, 0.246018, 0}},
      {{.temperature = 0.7f, .top_p = 0.6f, .top_k = 6},
       {0, 0, 0, 0, 0, 0, 0, 0, 0, 0.671347, 0.328653, 0}},
  };
}

TEST(Sampler, DrawsFromTheReferencesDistribution) {
  constexpr int kDraws = 20000;
  const std::vector<Reference> all = references();
  for (const Reference& reference : all) {
    SCOPED_TRACE(::testing::Message() << "case " << &reference - all.data());
    std::vector<int> counts(kLogits.size());
    SamplingOptions options = reference.options;
    options.seed = 11;
    Sampler sampler(options);
    for (std::uint64_t k = 0; k < kDraws; ++k) {
      std::vector<float> logits = kLogits;
      // Without a penalty the history must not matter.
      const auto token = sampler.sample(logits, kHistory, k);
      ASSERT_TRUE(token.has_value());
      ++counts[static_cast<std::size_t>(*token)];
    }
    for (std::size_t id = 0; id < counts.size(); ++id) {
      const double p = reference.probabilities[id];
      if (p == 0) {
        EXPECT_EQ(counts[id], 0) << "token " << id;
      } else {
        // Five standard deviations and a half; the seed is fixed, so this passes always or never.
        EXPECT_NEAR(counts[id], kDraws * p, 5.5 * std::sqrt(kDraws * p * (1 - p)) + 1)
            << "token " << id;
      }
    }
  }
}

// Where no token is likely enough, the reference keeps all that are as likely as the first.
TEST(Sampler, CutoffsKeepEveryTokenThatIsAsLikelyAsTheFirst) {
  const std::vector<float> tied = {2, 0, 2, 1};
  for (const SamplingOptions& options :
       {SamplingOptions{.temperature = 1, .epsilon_cutoff = 0.9f, .seed = 3},
        SamplingOptions{.temperature = 1, .eta_cutoff = 0.9f, .seed = 3}}) {
    std::vector<int> counts(tied.size());
    Sampler sampler(options);
    for (std::uint64_t k = 0; k < 1000; ++k) {
      std::vector<float> logits = tied;
      const auto token = sampler.sample(logits, {}, k);
      ASSERT_TRUE(token.has_value());
      ++counts[static_cast<std::size_t>(*token)];
    }
    EXPECT_NEAR(counts[0], 500, 90);
    EXPECT_NEAR(counts[2], 500, 90);
    EXPECT_EQ(counts[0] + counts[2], 1000);
  }
}

TEST(Sampler, PenaltyCountsEveryIdOnceAndIgnoresForeignOnes) {
  const SamplingOptions options{.repetition_penalty = 2};
  // 4 / 2 < 3; once is not enough to fall below 1.5.
  EXPECT_EQ(draw(options, {4, 3, 1.5f}, 0, std::vector<std::int32_t>{0}), 1);
  EXPECT_EQ(draw(options, {4, 1, 1.5f}, 0, std::vector<std::int32_t>{0, 0, 0, 0}), 0);
  // Negative logits are multiplied: -1 becomes -2.
  EXPECT_EQ(draw(options, {-1, -1.5f}, 0, std::vector<std::int32_t>{0}), 1);
  EXPECT_EQ(draw(options, {4, 3}, 0, std::vector<std::int32_t>{-1, 2, 1 << 30}), 0);
}

TEST(Sampler, SeedAndNumberDecideAlone) {
  const SamplingOptions options{.temperature = 2, .seed = 7};
  std::vector<std::int32_t> first;
  for (std::uint64_t k = 0; k < 100; ++k) first.push_back(draw(options, kLogits, k));
  Sampler used(options);
  for (std::uint64_t k = 100; k-- > 0;) {  // backwards, in a sampler that has drawn before
    std::vector<float> logits = kLogits;
    EXPECT_EQ(used.sample(logits, {}, k).value(), first[k]);
  }
  std::vector<std::int32_t> other;
  for (std::uint64_t k = 0; k < 100; ++k)
    other.push_back(draw({.temperature = 2, .seed = 8}, kLogits, k));
  EXPECT_NE(other, first);
}

TEST(Sampler, TheTiniestTemperatureIsGreedy) {
  const std::vector<float> logits = {3e38f, 1e38f, 3.1e38f, 3.1e38f, -3e38f};
  for (const float temperature : {1e-6f, 1e-38f, std::numeric_limits<float>::denorm_min()}) {
    for (std::uint64_t k = 0; k < 50; ++k) {
      EXPECT_EQ(draw({.temperature = temperature}, kLogits, k), 9);
      const std::int32_t token = draw({.temperature = temperature}, logits, k);
      EXPECT_TRUE(token == 2 || token == 3) << token;
    }
  }
}

TEST(Sampler, ImpossibleTokensAreNeverDrawn) {
  for (std::uint64_t k = 0; k < 200; ++k)
    EXPECT_EQ(draw({.temperature = 100}, {-kInfinity, 0, -kInfinity}, k), 1);
}

TEST(Sampler, NonFiniteLogitsAreAnErrorThatSaysWhere) {
  for (const float temperature : {0.0f, 1.0f}) {
    for (const std::vector<float>& bad : std::vector<std::vector<float>>{
             {1, kNan, 2}, {kNan}, {1, kInfinity}, {-kInfinity, -kInfinity}, {}}) {
      Sampler sampler({.temperature = temperature, .top_p = 0.5f, .top_k = 1, .min_p = 0.5f});
      std::vector<float> logits = bad;
      const auto token = sampler.sample(logits, {}, 17);
      ASSERT_FALSE(token.has_value());
      EXPECT_EQ(token.error().code, ErrorCode::kInternal);
      EXPECT_NE(token.error().message.find("token 17"), std::string::npos);
    }
  }
}

TEST(SamplingOptions, EveryFieldHasItsRange) {
  EXPECT_TRUE(check({}, 100).has_value());
  EXPECT_TRUE(check({.temperature = 100,
                     .top_p = 1e-6f,
                     .top_k = 1 << 30,
                     .min_p = 1,
                     .repetition_penalty = 100,
                     .presence_penalty = -2,
                     .frequency_penalty = 2,
                     .logit_bias = {{99, -100}},
                     .min_tokens = 5},
                    100)
                  .has_value());
  const struct {
    SamplingOptions options;
    const char* field;
  } bad[] = {
      {{.temperature = -0.1f}, "temperature"},
      {{.temperature = 101}, "temperature"},
      {{.temperature = kNan}, "temperature"},
      {{.top_p = 0}, "top_p"},
      {{.top_p = 1.1f}, "top_p"},
      {{.top_p = kNan}, "top_p"},
      {{.top_k = -1}, "top_k"},
      {{.min_p = -0.1f}, "min_p"},
      {{.min_p = 1.1f}, "min_p"},
      {{.min_p = kNan}, "min_p"},
      {{.repetition_penalty = 0}, "repetition_penalty"},
      {{.repetition_penalty = kInfinity}, "repetition_penalty"},
      {{.repetition_penalty = kNan}, "repetition_penalty"},
      {{.presence_penalty = 2.1f}, "presence_penalty"},
      {{.presence_penalty = kNan}, "presence_penalty"},
      {{.frequency_penalty = -2.1f}, "frequency_penalty"},
      {{.logit_bias = {{100, 1}}}, "logit_bias"},
      {{.logit_bias = {{-1, 1}}}, "logit_bias"},
      {{.logit_bias = {{1, 101}}}, "logit_bias"},
      {{.logit_bias = {{1, kNan}}}, "logit_bias"},
      {{.min_tokens = -1}, "min_tokens"},
  };
  for (const auto& [options, field] : bad) {
    const Status status = check(options, 100);
    ASSERT_FALSE(status.has_value()) << field;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_TRUE(status.error().message.starts_with(field)) << status.error().message;
  }
}

}  // namespace
}  // namespace ocellus::engine
