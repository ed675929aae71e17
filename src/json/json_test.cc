#include "json/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/read_file.h"
#include "json/python_json.h"

namespace ocellus::json {
namespace {

using ::testing::HasSubstr;

TEST(Json, ParsesADocument) {
  const auto value = parse(R"( {"a": [1, 2.5, "x"], "b": null} )", "t.json");
  ASSERT_TRUE(value.has_value()) << value.error().message;
  EXPECT_EQ(value->at("a").as_array().size(), 3u);
}

TEST(Json, RefusesDuplicateKeysAtAnyDepth) {
  const auto value = parse(R"({"a": {"k": 1, "x": [{"k": 1}], "k": 2}})", "t.json");
  ASSERT_FALSE(value.has_value());
  EXPECT_THAT(value.error().message, HasSubstr("duplicate key \"k\""));
  EXPECT_TRUE(parse(R"([{"k": 1}, {"k": 2}])", "t.json").has_value());
}

TEST(Json, DepthIsLimited) {
  const auto nested = [](int n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(parse(nested(64), "t.json").has_value());
  EXPECT_FALSE(parse(nested(65), "t.json").has_value());
  EXPECT_FALSE(parse(nested(100000), "t.json").has_value());
}

TEST(Json, RefusesTrailingBytesAndTruncation) {
  EXPECT_FALSE(parse("{} x", "t.json").has_value());
  EXPECT_FALSE(parse("{", "t.json").has_value());
  EXPECT_FALSE(parse("", "t.json").has_value());
  EXPECT_FALSE(parse("\xEF\xBB\xBF{}", "t.json").has_value());
}

TEST(PythonJson, ReadsWhatPythonWrites) {
  const auto value = parse_python(
      "\xEF\xBB\xBF{\"a\": [NaN, Infinity, -Infinity], \"s\": \"NaN \\\" Infinity\", \"k\": 1, "
      "\"k\": 2}",
      "c.json");
  ASSERT_TRUE(value.has_value()) << value.error().message;
  const auto& object = value->as_object();
  for (const auto& number : object.at("a").as_array()) EXPECT_TRUE(std::isinf(number.as_double()));
  EXPECT_LT(object.at("a").as_array()[2].as_double(), 0);
  EXPECT_EQ(object.at("s").as_string(), "NaN \" Infinity");
  EXPECT_EQ(object.at("k").as_int64(), 2);
}

TEST(PythonJson, RefusesWhatPythonRefuses) {
  for (const char* text : {"{'a': 1}", "{\"a\": nan}", "{\"a\": +Infinity}", "{\"a\": NaN1}",
                           "{\"a\": 1,}", "{\"a\": InfinityNaN}", "NaN NaN", "{\"a\": -NaN}"}) {
    EXPECT_FALSE(parse_python(text, "c.json").has_value()) << text;
  }
}

TEST(PythonJson, AKeyThatCountsIsNotInfinite) {
  const auto value = *parse_python("{\"t\": Infinity}", "c.json");
  EXPECT_THAT(get_number_or(value.as_object(), "t", "c.json", 1).error().message,
              HasSubstr("c.json: t: expected a finite number"));
}

TEST(Json, TypedAccessNamesKeyAndTypes) {
  const auto value =
      *parse(R"({"n": "x", "i": 7, "f": 1.0, "big": 18446744073709551615})", "c.json");
  const auto& object = value.as_object();
  EXPECT_EQ(*get_int(object, "i", "c.json", 0, 10), 7);
  EXPECT_EQ(*get_int_or(object, "absent", "c.json", 5, 0, 10), 5);
  EXPECT_THAT(get_int(object, "n", "c.json", 0, 10).error().message,
              HasSubstr("c.json: n: expected an integer, found a string"));
  EXPECT_FALSE(get_int(object, "f", "c.json", 0, 10).has_value());
  EXPECT_FALSE(get_int(object, "i", "c.json", 8, 10).has_value());
  EXPECT_FALSE(get_int(object, "big", "c.json", 0, 10).has_value());
}

TEST(Json, Corpus) {
  const char* corpora = std::getenv("OCELLUS_CORPORA");
  const std::filesystem::path folder = std::filesystem::path(corpora ? corpora : "") / "json";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the JSON corpus is not here";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    const auto text = base::read_file(entry.path(), 1 << 20);
    ASSERT_TRUE(text.has_value());
    const bool duplicates = name.starts_with("y_object_duplicated_key");
    const auto value = parse(*text, name);
    if (name.starts_with("y_")) {
      EXPECT_EQ(value.has_value(), !duplicates) << name;
    } else if (name.starts_with("n_")) {
      EXPECT_FALSE(value.has_value()) << name;
    }
  }
}

}  // namespace
}  // namespace ocellus::json
