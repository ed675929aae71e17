// Scores of texts, and decisions made of them, with the demo model.
#include "vision/decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "vision/test_pictures.h"

namespace ocellus::vision {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using Kind = DecisionQuestion::Kind;

const char* const kCount = "How many objects are there?";

double score(Model& model, std::string text) {
  AskOptions options;
  options.score = std::move(text);
  const auto answer = model.ask(picture(), kCount, options)->wait();
  EXPECT_TRUE(answer.has_value());
  if (!answer) return 0;
  EXPECT_EQ(answer->text, "");
  EXPECT_LE(answer->stats.log_probability, 0);
  return answer->stats.log_probability;
}

// The same as a greedy answer says of itself, token by token.
TEST(Score, IsTheSumOfTheTokensLogProbabilities) {
  Model model = open_demo();
  AskOptions options = kGreedy;
  options.logprobs = true;
  const auto answer = model.ask(picture(), kCount, options)->wait();
  ASSERT_TRUE(answer.has_value());
  double tokens = 0;
  for (const TokenInfo& info : answer->tokens) tokens += static_cast<double>(info.token.logprob);
  const double all = score(model, answer->text);
  EXPECT_LE(all, tokens + 1e-4);  // an end comes after them
  EXPECT_GT(std::exp(all), 0.5);  // which this model is sure of
  EXPECT_LT(score(model, "17"), all);
  EXPECT_LT(score(model, answer->text + " and more of it, which nobody says"), all);
}

TEST(Score, IsTheSameDraftedOrNotAndAmongOthers) {
  Model drafting = open_demo(), plain = open_demo({.speculation = false});
  const std::string text = "There are many red objects in the picture.";
  const double expected = score(plain, text);
  EXPECT_EQ(score(drafting, text), expected);
  std::vector<AnswerStream> others;
  for (int i = 0; i < 4; ++i) others.push_back(*drafting.ask(picture(), kCount, kGreedy));
  EXPECT_EQ(score(drafting, text), expected);
}

TEST(Decision, AnswersEachKind) {
  Model model = open_demo();
  const std::vector<Message> input = {{Role::kUser, {picture()}}};
  const std::vector<DecisionQuestion> questions = {
      {Kind::kPredicate, {Part(std::string("There is a red object."))}, {}},
      {Kind::kChoice, {Part(std::string(kCount))}, {{"4"}, {"1"}, {"9", "very many"}}},
      {Kind::kScore, {Part(std::string("How full is it?"))}, {{"empty"}, {"half"}, {"full"}}}};
  const auto decision = model.decide(input, questions);
  ASSERT_TRUE(decision.has_value()) << decision.error().message;
  ASSERT_EQ(decision->answers.size(), 3u);
  for (const DecisionAnswer& answer : decision->answers) {
    double sum = 0;
    for (const double p : answer.probabilities) sum += p;
    EXPECT_NEAR(sum, 1, 1e-9);
    EXPECT_THAT(answer.confidence, ::testing::AllOf(::testing::Ge(0), ::testing::Le(1)));
  }
  EXPECT_EQ(decision->answers[0].probabilities.size(), 2u);
  EXPECT_THAT(decision->answers[2].score, ::testing::AllOf(::testing::Ge(0), ::testing::Le(2)));
  EXPECT_GT(decision->cached_tokens, decision->prompt_tokens / 2);  // the picture, again and again
  const auto again = model.decide(input, questions);
  EXPECT_EQ(again->answers[1].probabilities, decision->answers[1].probabilities);
}

TEST(Decision, WeighsWhatIsPossible) {
  const DecisionQuestion question{Kind::kChoice, {Part(std::string("?"))}, {{"a"}, {"b"}}};
  const DecisionPrompt prompt = decision_prompt({}, question);
  const double none = -std::numeric_limits<double>::infinity();
  const std::vector<double> sure = {-1000, none}, nothing = {none, none},
                            three = {std::log(0.3), std::log(0.1)};
  EXPECT_EQ(weigh(question, prompt, sure).probabilities, (std::vector<double>{1, 0}));
  EXPECT_EQ(weigh(question, prompt, sure).confidence, 1);
  EXPECT_EQ(weigh(question, prompt, nothing).probabilities, (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(weigh(question, prompt, nothing).confidence, 0);
  EXPECT_NEAR(weigh(question, prompt, three).probabilities[0], 0.75, 1e-12);
}

TEST(Decision, RefusesQuestionsThatAreNone) {
  Model model = open_demo();
  const auto refused = [&](DecisionQuestion question) {
    const auto decision = model.decide({{Role::kUser, {picture()}}}, {std::move(question)});
    EXPECT_FALSE(decision.has_value());
    return decision ? std::string() : decision.error().message;
  };
  const std::vector<Part> text = {Part(std::string("?"))};
  EXPECT_THAT(refused({Kind::kChoice, text, {{"a"}}}), HasSubstr("questions[0]"));
  EXPECT_THAT(refused({Kind::kChoice, text, {{"a"}, {"a"}}}), HasSubstr("twice"));
  EXPECT_THAT(refused({Kind::kPredicate, {}, {}}), HasSubstr("instructions"));
}

}  // namespace
}  // namespace ocellus::vision
