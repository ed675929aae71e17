// Which texts satisfy a schema, an expression, a choice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/constraint/matcher.h"
#include "text/constraint/response_grammar.h"

namespace ocellus::text {
namespace {

using ::testing::HasSubstr;
using Kind = ResponseFormat::Kind;

bool satisfies(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  Matcher matcher(grammar);
  Matcher::State now = matcher.start(), next;
  for (const char byte : text) {
    matcher.step(now, static_cast<std::uint8_t>(byte), next);
    std::swap(now, next);
  }
  return matcher.accepts(now);
}

struct Case {
  std::string schema;
  std::vector<std::string> good, bad;
};

void check(Kind kind, const Case& c) {
  const auto grammar = response_grammar({.kind = kind, .text = c.schema});
  ASSERT_TRUE(grammar.has_value()) << c.schema << ": " << grammar.error().message;
  for (const std::string& text : c.good)
    EXPECT_TRUE(satisfies(*grammar, text)) << c.schema << "\n" << text;
  for (const std::string& text : c.bad)
    EXPECT_FALSE(satisfies(*grammar, text)) << c.schema << "\n" << text;
  // The shortest end is one that satisfies, from the start and from everywhere in a good text.
  for (const std::string& text : c.good) {
    Matcher matcher(*grammar);
    Matcher::State now = matcher.start(), next;
    std::string so_far;
    for (const char byte : text) {
      const std::string whole = so_far + matcher.shortest_end(now, 1 << 16);
      EXPECT_TRUE(satisfies(*grammar, whole)) << c.schema << "\n" << whole;
      EXPECT_EQ(whole.size(), so_far.size() + matcher.least(now)) << whole;
      matcher.step(now, static_cast<std::uint8_t>(byte), next);
      std::swap(now, next);
      so_far += byte;
      matcher.keep_only(now);
    }
  }
}

TEST(SchemaGrammar, IsSatisfiedByWhatSatisfiesTheSchema) {
  const Case cases[] = {
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]})",
       {R"({"a":1})", R"({"a":-20,"b":"x\n\u00e9 é"})"},
       {R"({})", R"({"b":"x"})", R"({"a":1,})", R"({"a":01})", R"({ "a":1})", R"({"a":1,"c":2})",
        R"({"b":"x","a":1})", R"({"a":1.5})", "{\"a\":1,\"b\":\"\n\"}", R"({"a":1}x)"}},
      {R"({"type":"object","properties":{"a":{"type":"null"}},"additionalProperties":{"type":"boolean"}})",
       {R"({})", R"({"a":null})", R"({"a":null,"b":true,"":false})", R"({"b":true})",
        R"({"aa":true})"},
       {R"({"a":true})", R"({"b":1})", R"({"b":true,"a":null})", R"({"\u0061":true})"}},
      {R"({"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2})",
       {R"({"x":1})", R"({"x":1,"y":2})"},
       {R"({})", R"({"x":1,"y":2,"z":3})"}},
      {R"({"type":"object"})", {R"({})", R"({"a":[1,{"b":null}],"c":"d"})"}, {R"([])", R"({"a"})"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})",
       {"[1,2]", "[1,2,3]"},
       {"[]", "[1]", "[1,2,3,4]", "[1,]", "[1, 2]"}},
      {R"({"type":"array"})", {"[]", R"([1,"a",[]])"}, {"{}"}},
      {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false,"minItems":1})",
       {R"(["a"])", R"(["a",1])"},
       {"[]", R"([1])", R"(["a",1,2])"}},
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {R"("ab")", R"("é\n😀")", R"("\ud83d\ude00b")"},
       {R"("a")", R"("abcd")", R"("\ud83da")", "\"a\xff\""}},
      {R"({"type":"string","pattern":"^[A-Z]{2}\\d+$"})",
       {R"("AB1")"},
       {R"("A1")", R"("AB1x")", R"("xAB1")"}},
      {R"({"type":"string","pattern":"b\"|c"})",
       {R"("ab\"x")", R"("c")"},
       {R"("ab")", R"("ab"x")"}},
      {R"({"type":"string","format":"date"})",
       {R"("2026-11-26")"},
       {R"("2026-13-26")", R"("2026-06-31")", R"("26-11-26")"}},
      {R"({"type":"string","format":"nickname","description":"d","title":"t","examples":["x"],"default":"y"})",
       {R"("anything")"},
       {"1"}},
      {R"({"enum":["yes","no",3,null]})", {R"("yes")", "3", "null"}, {R"("ye")", "4"}},
      {R"({"const":{"a":[1]}})", {R"({"a":[1]})"}, {R"({"a":[]})"}},
      {R"({"type":["integer","null"]})", {"12", "null"}, {"1.5", R"("a")"}},
      {R"({"anyOf":[{"type":"integer","minimum":3},{"type":"string","maxLength":1}]})",
       {"3", R"("a")"},
       {"2", R"("ab")"}},
      {R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"x":{"type":"integer"}},"required":["k","x"]},
                    {"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]})",
       {R"({"k":"a","x":1})", R"({"k":"b"})"},
       {R"({"k":"b","x":1})"}},
      {R"({"allOf":[{"$ref":"#/$defs/a"}],"description":"x","$defs":{"a":{"type":"integer"}}})",
       {"1"},
       {"true"}},
      {R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["next"]}}})",
       {R"({"next":null})", R"({"next":{"next":null}})"},
       {R"({})"}},
      {R"({"type":"string","nullable":true})", {"null", R"("a")"}, {"1"}},
      {R"({"type":"boolean"})", {"true", "false"}, {"True", "tru"}},
      {R"({"type":"number"})", {"0", "-1.5e+10", "3.14"}, {"01", ".5", "1.", "+1", "NaN"}},
      {"{}", {"1", R"({"a":1})", R"("x")"}, {"x"}},
  };
  for (const Case& c : cases) check(Kind::kJsonSchema, c);
}

TEST(SchemaGrammar, KeepsNumbersWithinTheirLimits) {
  const Case cases[] = {
      {R"({"type":"integer","minimum":0,"maximum":10})",
       {"0", "10", "7"},
       {"-1", "11", "-0", "00"}},
      {R"({"type":"integer","minimum":-15,"maximum":120})",
       {"-15", "-1", "0", "99", "100", "120"},
       {"-16", "121", "-0", "1000"}},
      {R"({"type":"integer","exclusiveMinimum":9})",
       {"10", "11", "123456789012345678901"},
       {"9", "-10"}},
      {R"({"type":"integer","exclusiveMaximum":0})", {"-1", "-99"}, {"0", "1"}},
      {R"({"type":"integer","minimum":1.5,"maximum":3.5})", {"2", "3"}, {"1", "4"}},
      {R"({"type":"number","minimum":0,"maximum":1})",
       {"0", "1", "0.5", "1.0", "0.0001", "0.99999"},
       {"1.1", "-0.1", "2", "1.01", "-0"}},
      {R"({"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1})",
       {"0.5", "0.001"},
       {"0", "1", "0.0", "1.0", "0."}},
      {R"({"type":"number","minimum":-2.25,"maximum":3.14})",
       {"-2.25", "-2.2", "-2", "-0.5", "0", "3", "3.1", "3.14", "3.139999"},
       {"-2.26", "-3", "3.15", "3.141", "4"}},
      {R"({"type":"number","minimum":1.25})",
       {"1.25", "1.3", "2", "100.75"},
       {"1.2", "1", "0", "-5"}},
      {R"({"type":"number","maximum":-1})", {"-1", "-1.5", "-10"}, {"-0.5", "0", "1"}},
      {R"({"type":"number","minimum":5,"exclusiveMinimum":true})", {"5.1", "6"}, {"5", "5.0"}},
  };
  for (const Case& c : cases) check(Kind::kJsonSchema, c);
}

// All of a small range against the numbers themselves.
TEST(SchemaGrammar, AgreesWithArithmetic) {
  for (const auto& [min, max] : {std::pair(-12, 7), {-120, -95}, {3, 1004}, {0, 0}, {99, 101}}) {
    const auto grammar =
        response_grammar({.kind = Kind::kJsonSchema,
                          .text = R"({"type":"integer","minimum":)" + std::to_string(min) +
                                  R"(,"maximum":)" + std::to_string(max) + "}"});
    ASSERT_TRUE(grammar.has_value());
    for (int i = -1200; i <= 1200; ++i)
      EXPECT_EQ(satisfies(*grammar, std::to_string(i)), i >= min && i <= max) << i;
  }
}

TEST(SchemaGrammar, RefusesWhatItDoesNotEnforce) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type":"object","properties":{"a":{"not":{}}}})", "json_schema.properties.a.not"},
      {R"({"type":"object","patternProperties":{"^x":{}}})", "json_schema.patternProperties"},
      {R"({"type":"array","uniqueItems":true})", "json_schema.uniqueItems"},
      {R"({"type":"number","multipleOf":0.5})", "json_schema.multipleOf"},
      {R"~({"type":"string","pattern":"a(?=b)"})~", "json_schema.pattern"},
      {R"({"type":"string","pattern":"a","maxLength":3})", "json_schema.maxLength"},
      {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "json_schema.oneOf"},
      {R"({"$ref":"http://x/y"})", "json_schema.$ref"},
      {R"({"$ref":"#/$defs/none"})", "nothing is at"},
      {R"({"type":"object","properties":{"a":{}},"required":["b"]})", "\"b\" is not in properties"},
      {R"({"type":"integer","minimum":3,"maximum":2})", "no number is between"},
      {R"({"type":"text"})", "json_schema.type"},
      {R"({"type":"string","minLength":5,"maxLength":4})", "minLength is more"},
      {R"({"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"required":["a"]}}})",
       "nothing can ever satisfy it"},
      {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", "too many ways"},
      {R"(7)", "expected a schema"},
      {R"({"enum":[]})", "json_schema.enum"},
      {R"({"type":"array","minItems":100000,"items":{}})", "bytes"},
  };
  for (const auto& [schema, message] : cases) {
    const auto grammar = response_grammar({.kind = Kind::kJsonSchema, .text = schema});
    ASSERT_FALSE(grammar.has_value()) << schema;
    EXPECT_EQ(grammar.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(grammar.error().message, HasSubstr(message)) << schema;
  }
}

TEST(ResponseGrammar, TakesExpressionsAndChoices) {
  check(Kind::kRegex,
        {"(yes|no), [^,]{2,4}\\.?", {"yes, abc.", "no, éé"}, {"yes", "no, a,b", "yes, abcde"}});
  check(Kind::kRegex, {"^\\w+@\\w+\\.(com|org)$", {"a_b@c.org"}, {"a@b.net"}});
  check(Kind::kRegex, {"(a*)*b", {"b", "aaab"}, {"aa"}});
  check(Kind::kRegex, {"[\\u4e00-\\u9fff]+", {"中文"}, {"a", ""}});
  check(Kind::kRegex, {"[^\\x00-\\x7f]", {"é", "中", "😀"}, {"a"}});
  const auto choice =
      response_grammar({.kind = Kind::kChoice, .choices = {"red", "reddish", "blue"}});
  ASSERT_TRUE(choice.has_value());
  for (const char* text : {"red", "reddish", "blue"}) EXPECT_TRUE(satisfies(*choice, text));
  for (const char* text : {"redd", "", "blu", "bluex"}) EXPECT_FALSE(satisfies(*choice, text));
  for (const char* bad :
       {"a(b", "a)", "*a", "[b-a]", "a{3,2}", "\\1", "(?<=a)b", "a^b", "[a", "\\"})
    EXPECT_FALSE(response_grammar({.kind = Kind::kRegex, .text = bad}).has_value()) << bad;
}

TEST(ResponseGrammar, NestsJsonSoFarOnly) {
  const auto grammar = response_grammar({.kind = Kind::kJsonObject});
  ASSERT_TRUE(grammar.has_value());
  Matcher matcher(*grammar);
  Matcher::State now = matcher.start(), next;
  int depth = 0;
  for (const std::string step = "{\"a\":"; depth < 1000 && !now.empty(); ++depth)
    for (const char byte : step) {
      matcher.step(now, static_cast<std::uint8_t>(byte), next);
      std::swap(now, next);
    }
  EXPECT_GT(depth, 10);
  EXPECT_LT(depth, 100);
}

}  // namespace
}  // namespace ocellus::text
