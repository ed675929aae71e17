// Configurations of published checkpoints against the values that transformers' classes resolve.
#include "models/qwen_vl/config.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ocellus::models {
namespace {

namespace bj = boost::json;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The number or list of `key`.
template <typename T>
T get(const bj::value& object, const char* key) {
  return bj::value_to<T>(object.at(key));
}

void expect_tower(const GridTowerConfig& tower, const bj::value& expected) {
  const auto number = [&](const char* key) { return get<std::int64_t>(expected, key); };
  using Numbers = std::vector<std::int64_t>;
  EXPECT_EQ(tower.hidden_size, number("hidden_size"));
  EXPECT_EQ(tower.intermediate_size, number("intermediate_size"));
  EXPECT_EQ(tower.layers, number("layers"));
  EXPECT_EQ(tower.heads, number("heads"));
  EXPECT_EQ(tower.out, number("out"));
  EXPECT_EQ(tower.patch, number("patch"));
  EXPECT_EQ(tower.merge, number("merge"));
  EXPECT_EQ(tower.frames, number("frames"));
  EXPECT_EQ(tower.window, number("window"));
  EXPECT_EQ(tower.full_layers, get<Numbers>(expected, "full_layers"));
  EXPECT_EQ(tower.deep_layers, get<Numbers>(expected, "deep_layers"));
  EXPECT_EQ(tower.activation, tensor::parse_activation(get<std::string>(expected, "activation")));
}

void expect_language(const DecoderConfig& language, const bj::value& expected) {
  const auto number = [&](const char* key) { return get<std::int64_t>(expected, key); };
  EXPECT_EQ(language.hidden_size, number("hidden_size"));
  EXPECT_EQ(language.intermediate_size, number("intermediate_size"));
  EXPECT_EQ(language.layers, number("layers"));
  EXPECT_EQ(language.heads, number("heads"));
  EXPECT_EQ(language.kv_heads, number("kv_heads"));
  EXPECT_EQ(language.head_dim, number("head_dim"));
  EXPECT_EQ(language.vocab_size, number("vocab_size"));
  EXPECT_EQ(language.max_position, number("max_position"));
  EXPECT_EQ(language.sliding_window, 0);  // all have one, and say that it is not used
  EXPECT_EQ(language.rms_norm_eps, expected.at("rms_norm_eps").to_number<double>());
  EXPECT_EQ(language.rope.theta, expected.at("theta").to_number<double>());
  EXPECT_EQ(language.rope.sections, get<std::vector<std::int64_t>>(expected, "sections"));
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
