// Answers held to a form, by real models: always whole, whatever the limit on their tokens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/json.h"
#include "text/constraint/matcher.h"
#include "text/constraint/response_grammar.h"
#include "vision/test_pictures.h"

namespace ocellus::vision {
namespace {

using namespace testing;
using ::testing::HasSubstr;
using Kind = ResponseFormat::Kind;

const char* const kSchema = R"({"type":"object","properties":{
    "colour":{"enum":["red","green","blue"]},
    "things":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string","maxLength":20},
        "count":{"type":"integer","minimum":0,"maximum":9}},"required":["name","count"]},"maxItems":4},
    "sure":{"type":"boolean"}},"required":["colour","things","sure"]})";

bool satisfies(const ResponseFormat& format, std::string_view text) {
  text::Matcher matcher(*text::response_grammar(format));
  text::Matcher::State now = matcher.start(), next;
  for (const char byte : text) {
    matcher.step(now, static_cast<std::uint8_t>(byte), next);
    std::swap(now, next);
  }
  return matcher.accepts(now);
}

AskOptions options_of(ResponseFormat format, std::int64_t tokens, float temperature = 0) {
  AskOptions options = kGreedy;
  options.max_new_tokens = tokens;
  options.temperature = temperature;
  options.seed = static_cast<std::uint64_t>(tokens);
  options.response_format = std::move(format);
  return options;
}

TEST(Structured, SatisfiesItsSchemaAtEveryLimit) {
  const ResponseFormat format{.kind = Kind::kJsonSchema, .text = kSchema};
  Model model = open_demo();
  for (const float temperature : {0.0f, 1.0f}) {
    for (const std::int64_t tokens : {1, 2, 5, 12, 25, 40, 41, 42, 60, 200}) {
      const auto answer =
          model.ask(picture(), "Describe.", options_of(format, tokens, temperature))->wait();
      ASSERT_TRUE(answer.has_value()) << answer.error().message;
      EXPECT_TRUE(satisfies(format, answer->text)) << tokens << ": " << answer->text;
      EXPECT_TRUE(json::parse(answer->text, "answer").has_value()) << answer->text;
    }
  }
}

// The shortest answer has some forty tokens in this vocabulary: where they fit, they are kept.
TEST(Structured, EndsWithinTheLimitWhereItCan) {
  const ResponseFormat format{.kind = Kind::kJsonSchema, .text = kSchema};
  Model model = open_demo();
  const auto least = model.ask(picture(), "Describe.", options_of(format, 1))->wait();
  ASSERT_TRUE(least.has_value());
  EXPECT_EQ(least->stats.finish, FinishReason::kLength);
  for (std::int64_t more = 0; more < 20; ++more) {
    const std::int64_t limit = least->stats.generated_tokens + more;
    const auto answer = model.ask(picture(), "Describe.", options_of(format, limit, 1.0f))->wait();
    ASSERT_TRUE(answer.has_value());
    EXPECT_LE(answer->stats.generated_tokens, limit) << answer->text;
    EXPECT_TRUE(satisfies(format, answer->text)) << answer->text;
  }
}

TEST(Structured, IsTheSameDraftedOrNot) {
  const ResponseFormat format{.kind = Kind::kJsonSchema, .text = kSchema};
  Model drafting = open_demo(), plain = open_demo({.speculation = false});
  for (const std::int64_t tokens : {10, 50, 120}) {
    const auto a = drafting.ask(picture(), "Describe.", options_of(format, tokens, 0.7f))->wait();
    const auto b = plain.ask(picture(), "Describe.", options_of(format, tokens, 0.7f))->wait();
    ASSERT_TRUE(a.has_value() && b.has_value());
    EXPECT_EQ(a->ids, b->ids);
    EXPECT_EQ(b->stats.drafted_tokens, 0);
    EXPECT_GT(a->stats.accepted_tokens, 0);  // the names of the properties
  }
}

TEST(Structured, TakesChoicesAndExpressions) {
  Model model = open_demo();
  for (const ResponseFormat& format :
       {ResponseFormat{.kind = Kind::kChoice, .choices = {"Yes", "No", "I cannot say"}},
        ResponseFormat{.kind = Kind::kRegex, .text = "[A-Z][a-z]{2,8}, [0-9]+%"},
        ResponseFormat{.kind = Kind::kJsonObject}}) {
    for (const std::int64_t tokens : {1, 8, 30}) {
      const auto answer = model.ask(picture(), "Is it?", options_of(format, tokens, 1.0f))->wait();
      ASSERT_TRUE(answer.has_value()) << answer.error().message;
      EXPECT_TRUE(satisfies(format, answer->text)) << answer->text;
    }
  }
}

TEST(Structured, RefusesWhatItCannotEnforceAtOnce) {
  Model model = open_demo();
  const auto refused = model.ask(
      picture(), "?",
      options_of({.kind = Kind::kJsonSchema, .text = R"({"type":"array","contains":{}})"}, 9));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("json_schema.contains"));
}

// The shortest answer must fit into the context too.
TEST(Structured, SaysWhenTheContextIsTooSmallForIt) {
  std::string names;
  for (int i = 0; i < 400; ++i)
    names += (i > 0 ? "," : "") + ("\"a long name of a property " + std::to_string(i) + "\"");
  std::string properties = names;
  for (std::size_t at = 0; (at = properties.find("\",", at)) != std::string::npos; at += 20)
    properties.insert(at + 1, ":{\"type\":\"null\"}");
  const ResponseFormat format{.kind = Kind::kJsonSchema,
                              .text = "{\"properties\":{" + properties +
                                      ":{\"type\":\"null\"}},\"required\":[" + names + "]}"};
  ASSERT_TRUE(text::response_grammar(format).has_value())
      << text::response_grammar(format).error().message;
  Model model = open_demo();
  const auto answer = model.ask(picture(), "?", options_of(format, 10))->wait();
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kContextFull);
}

}  // namespace
}  // namespace ocellus::vision
