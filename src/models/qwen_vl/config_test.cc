// Configurations of published checkpoints against the values that transformers' classes resolve.
#include "models/qwen_vl/config.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <cstdlib>
#include <filesystem>

#include "base/read_file.h"

namespace ocellus::models {
namespace {

namespace bj = boost::json;

std::string read(const std::filesystem::path& path) {
  const auto text = base::read_file(path, 1 << 20);
  EXPECT_TRUE(text.has_value()) << path;
  return text.value_or("");
}

// The number or list of `key`.
template <typename T>
T get(const bj::value& object, const char* key) {
  return bj::value_to<T>(object.at(key));
}

using Numbers = std::vector<std::int64_t>;

void expect_numbers(const bj::value& expected,
                    std::initializer_list<std::pair<const char*, std::int64_t>> found) {
  for (const auto& [key, value] : found) EXPECT_EQ(value, get<std::int64_t>(expected, key)) << key;
}

void expect_tower(const GridTowerConfig& tower, const bj::value& expected) {
  expect_numbers(expected, {{"hidden_size", tower.hidden_size},
                            {"intermediate_size", tower.intermediate_size},
                            {"layers", tower.layers},
                            {"heads", tower.heads},
                            {"out", tower.out},
                            {"patch", tower.patch},
                            {"merge", tower.merge},
                            {"frames", tower.frames},
                            {"window", tower.window}});
  EXPECT_EQ(tower.full_layers, get<Numbers>(expected, "full_layers"));
  EXPECT_EQ(tower.deep_layers, get<Numbers>(expected, "deep_layers"));
  EXPECT_EQ(tower.activation, tensor::parse_activation(get<std::string>(expected, "activation")));
}

void expect_language(const DecoderConfig& language, const bj::value& expected) {
  expect_numbers(expected, {{"hidden_size", language.hidden_size},
                            {"intermediate_size", language.intermediate_size},
                            {"layers", language.layers},
                            {"heads", language.heads},
                            {"kv_heads", language.kv_heads},
                            {"head_dim", language.head_dim},
                            {"vocab_size", language.vocab_size},
                            {"max_position", language.max_position}});
  EXPECT_EQ(language.sliding_window, 0);  // all have one, and say that it is not used
  EXPECT_EQ(language.rms_norm_eps, expected.at("rms_norm_eps").to_number<double>());
  EXPECT_EQ(language.rope.theta, expected.at("theta").to_number<double>());
  EXPECT_EQ(language.rope.sections, get<Numbers>(expected, "sections"));
  EXPECT_EQ(language.linear_layers, get<std::vector<bool>>(expected, "linear_layers"));
}

TEST(QwenVlConfig, PublishedCheckpoints) {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const auto folder = std::filesystem::path(source) / "tests/golden/configs/qwen";
  const bj::value all = bj::parse(read(folder / "expected.json"));
  ASSERT_GE(all.as_object().size(), 5U);
  for (const auto& [name, expected] : all.as_object()) {
    SCOPED_TRACE(std::string(name));
    const std::string file = std::string(name) + ".json";
    const auto config = parse_qwen_vl_config(read(folder / file), file);
    ASSERT_TRUE(config.has_value()) << config.error().message;
    EXPECT_EQ(config->tokens.image, get<std::int64_t>(expected, "image_token"));
    expect_tower(config->tower, expected.at("tower"));
    expect_language(config->language, expected.at("language"));
  }
}

}  // namespace
}  // namespace ocellus::models
