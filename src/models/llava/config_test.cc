#include "models/llava/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "models/families.h"

namespace ocellus::models {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace bj = boost::json;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::int64_t> integers(const bj::value& value) {
  std::vector<std::int64_t> result;
  for (const bj::value& item : value.as_array()) result.push_back(item.to_number<std::int64_t>());
  return result;
}

std::int64_t integer(const bj::value& value) {
  return value.is_null() ? 0 : value.to_number<std::int64_t>();
}

void expect_tower(const VitConfig& tower, const bj::value& expected) {
  const bool clip = expected.at("model_type").as_string() == "clip_vision_model";
  EXPECT_EQ(tower.name, clip ? "clip" : "siglip");
  EXPECT_EQ(tower.class_token, clip);
  EXPECT_EQ(tower.pre_norm, clip);
  EXPECT_EQ(tower.patch_bias, !clip);
  EXPECT_EQ(tower.image_size, integer(expected.at("image_size")));
  EXPECT_EQ(tower.patch_size, integer(expected.at("patch_size")));
  EXPECT_EQ(tower.patches(), integer(expected.at("patches")));
  EXPECT_EQ(tower.channels, integer(expected.at("channels")));
  EXPECT_EQ(tower.hidden_size, integer(expected.at("hidden_size")));
  EXPECT_EQ(tower.intermediate_size, integer(expected.at("intermediate_size")));
  EXPECT_EQ(tower.layers, integer(expected.at("layers")));
  EXPECT_EQ(tower.heads, integer(expected.at("heads")));
  EXPECT_EQ(tower.layer_norm_eps, expected.at("layer_norm_eps").to_number<double>());
  EXPECT_EQ(tower.activation,
            tensor::parse_activation(std::string_view(expected.at("activation").as_string())));
}

void expect_rope(const RopeConfig& rope, const bj::value& expected) {
  using Scaling = RopeConfig::Scaling;
  const bj::string& type = expected.at("type").as_string();
  EXPECT_EQ(rope.scaling, type == "linear"   ? Scaling::kLinear
                          : type == "llama3" ? Scaling::kLlama3
                                             : Scaling::kNone);
  EXPECT_EQ(rope.theta, expected.at("theta").to_number<double>());
  const auto& object = expected.as_object();
  for (const auto& [key, value] : {std::pair<std::string_view, double>{"factor", rope.factor},
                                   {"low_freq_factor", rope.low_freq_factor},
                                   {"high_freq_factor", rope.high_freq_factor}}) {
    if (const auto* given = object.if_contains(key)) {
      EXPECT_EQ(value, given->to_number<double>()) << key;
    }
  }
}

void expect_language(const DecoderConfig& language, const bj::value& expected) {
  const bj::string& type = expected.at("model_type").as_string();
  EXPECT_EQ(language.name, std::string_view(type));
  EXPECT_EQ(language.gguf_architecture, type == "qwen2" ? "qwen2" : "llama");
  EXPECT_EQ(language.hidden_size, integer(expected.at("hidden_size")));
  EXPECT_EQ(language.intermediate_size, integer(expected.at("intermediate_size")));
  EXPECT_EQ(language.layers, integer(expected.at("layers")));
  EXPECT_EQ(language.heads, integer(expected.at("heads")));
  EXPECT_EQ(language.kv_heads, integer(expected.at("kv_heads")));
  EXPECT_EQ(language.head_dim, integer(expected.at("head_dim")));
  EXPECT_EQ(language.vocab_size, integer(expected.at("vocab_size")));
  EXPECT_EQ(language.max_position, integer(expected.at("max_position")));
  EXPECT_EQ(language.rms_norm_eps, expected.at("rms_norm_eps").to_number<double>());
  EXPECT_EQ(language.sliding_window, integer(expected.at("sliding_window")));
  EXPECT_EQ(language.qkv_bias, expected.at("attention_bias").as_bool() || type == "qwen2");
  EXPECT_EQ(language.mlp_bias, expected.at("mlp_bias").as_bool());
  expect_rope(language.rope, expected.at("rope"));
}

// By the list of families, of a checkpoint without tensors.
Status describe(const std::string& text) {
  Checkpoint checkpoint;
  checkpoint.path = "model";
  checkpoint.texts.emplace("config.json", text);
  const auto model = describe_model(checkpoint);
  if (!model) return std::unexpected(model.error());
  return {};
}

// Of other families: what is said of them.
void expect_summary(const std::string& text, const bj::value& expected) {
  Checkpoint checkpoint;
  checkpoint.texts.emplace("config.json", text);
  const auto model = describe_model(checkpoint);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  const ModelSummary& found = (*model)->summary();
  const bj::value &tower = expected.at("tower"), &language = expected.at("language");
  EXPECT_EQ(found.tower.image_size, integer(tower.at("image_size")));
  EXPECT_EQ(found.tower.patch_size, integer(tower.at("patch_size")));
  EXPECT_EQ(found.tower.hidden_size, integer(tower.at("hidden_size")));
  EXPECT_EQ(found.tower.layers, integer(tower.at("layers")));
  EXPECT_EQ(found.tower.heads, integer(tower.at("heads")));
  EXPECT_EQ(found.language.name, std::string(language.at("model_type").as_string()));
  EXPECT_EQ(found.language.hidden_size, integer(language.at("hidden_size")));
  EXPECT_EQ(found.language.intermediate_size, integer(language.at("intermediate_size")));
  EXPECT_EQ(found.language.layers, integer(language.at("layers")));
  EXPECT_EQ(found.language.heads, integer(language.at("heads")));
  EXPECT_EQ(found.language.kv_heads, integer(language.at("kv_heads")));
  EXPECT_EQ(found.language.head_dim, integer(language.at("head_dim")));
  EXPECT_EQ(found.language.vocab_size, integer(language.at("vocab_size")));
  EXPECT_EQ(found.language.max_position, integer(language.at("max_position")));
  EXPECT_EQ(found.image_rows, integer(expected.at("image_rows")));
  EXPECT_EQ((*model)->tokens().image, integer(expected.at("image_token")));
  EXPECT_EQ((*model)->tokens().eos, integers(language.at("eos_tokens")));
}

// Configurations of published checkpoints, also as transformers 5 saves them again, against the
// values that its classes resolve.
TEST(LlavaConfig, PublishedCheckpoints) {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  const auto folder = std::filesystem::path(source) / "tests/golden/configs";
  const bj::value all = bj::parse(read(folder / "expected.json"));
  int llava = 0, others = 0;
  for (const auto& [name, expected] : all.as_object()) {
    SCOPED_TRACE(std::string(name));
    const std::string text = read(folder / (std::string(name) + ".json"));
    const auto model = parse_llava_config(text, "config.json");
    if (expected.at("model_type").as_string() != "llava") {
      expect_summary(text, expected);
      ++others;
      continue;
    }
    ++llava;
    ASSERT_TRUE(model.has_value()) << model.error().message;
    expect_tower(model->tower, expected.at("tower"));
    expect_language(model->language, expected.at("language"));
    const bj::value& ids = expected.at("language");
    if (!ids.at("bos_token").is_null()) {
      EXPECT_EQ(model->tokens.bos, integer(ids.at("bos_token")));
    }
    EXPECT_EQ(model->tokens.eos, integers(ids.at("eos_tokens")));
    const bj::value& projector = expected.at("projector");
    EXPECT_EQ(model->features.layers, integers(projector.at("feature_layers")));
    EXPECT_EQ(model->projector.bias, projector.at("bias").as_bool());
    EXPECT_EQ(!model->features.drop_first_row, projector.at("select").as_string() == "full");
    EXPECT_EQ(model->tokens.image, integer(expected.at("image_token")));
    EXPECT_EQ(model->language.tie_word_embeddings, expected.at("tie_word_embeddings").as_bool());
  }
  EXPECT_GE(llava, 7);
  EXPECT_GE(others, 6);
}

std::string refusal(const std::string& text) {
  const auto model = describe(text);
  if (model) return "";
  EXPECT_THAT(model.error().message, HasSubstr("config.json"));
  return model.error().message;
}

std::string with_language(const std::string& fields) {
  return R"({"model_type":"llava","text_config":{)" + fields + "}}";
}

TEST(LlavaConfig, NothingButTheTypeIsLlava15) {
  const auto model = parse_llava_config(R"({"model_type":"llava"})", "config.json");
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ(model->tower.image_size, 336);
  EXPECT_EQ(model->tower.patch_size, 14);
  EXPECT_EQ(model->language.vocab_size, 32000);
  EXPECT_EQ(model->language.layers, 32);
  EXPECT_THAT(model->features.layers, ElementsAre(-2));
}

TEST(LlavaConfig, BadValuesAreNamed) {
  const std::pair<std::string, const char*> cases[] = {
      {"{", "config.json"},
      {"[]", "object"},
      {R"({"model_type":"blip"})", "blip"},
      {R"({})", "model_type"},
      {R"({"model_type":"llava","text_config":3})", "text_config"},
      {R"({"model_type":"llava","vision_config":{"model_type":"resnet"}})", "resnet"},
      {R"({"model_type":"llava","vision_config":{"hidden_size":10,"num_attention_heads":3}})",
       "num_attention_heads"},
      {R"({"model_type":"llava","vision_config":{"image_size":8,"patch_size":9}})", "patch_size"},
      {R"({"model_type":"llava","vision_config":{"num_channels":4}})", "num_channels"},
      {R"({"model_type":"llava","vision_config":{"layer_norm_eps":0}})", "layer_norm_eps"},
      {R"({"model_type":"llava","vision_feature_layer":-26})", "vision_feature_layer"},
      {R"({"model_type":"llava","vision_feature_layer":[]})", "vision_feature_layer"},
      {R"({"model_type":"llava","vision_feature_layer":"x"})", "vision_feature_layer"},
      {R"({"model_type":"llava","vision_feature_select_strategy":"cls"})", "cls"},
      {R"({"model_type":"llava","image_token_index":-1})", "image_token_index"},
      {R"({"model_type":"llava","projector_hidden_act":"swoosh"})", "swoosh"},
      {with_language(R"("model_type":"gpt2")"), "gpt2"},
      {with_language(R"("num_hidden_layers":0)"), "num_hidden_layers"},
      {with_language(R"("num_hidden_layers":1e3)"), "num_hidden_layers"},
      {with_language(R"("num_hidden_layers":2.0)"), "num_hidden_layers"},
      {with_language(R"("num_hidden_layers":"2")"), "num_hidden_layers"},
      {with_language(R"("num_hidden_layers":99999999999999999999)"), "num_hidden_layers"},
      {with_language(R"("hidden_size":100,"num_attention_heads":3)"), "num_attention_heads"},
      {with_language(R"("num_attention_heads":32,"num_key_value_heads":5)"), "num_key_value_heads"},
      {with_language(R"("head_dim":3)"), "head_dim"},
      {with_language(R"("rms_norm_eps":-1)"), "rms_norm_eps"},
      {with_language(R"("vocab_size":100000000000)"), "vocab_size"},
      {with_language(R"("hidden_act":7)"), "hidden_act"},
      {with_language(R"("rope_scaling":{"type":"yarn","factor":2})"), "yarn"},
      {with_language(R"("rope_parameters":{"rope_type":"longrope","factor":2})"), "longrope"},
      {with_language(R"("rope_scaling":{"type":"linear","factor":0})"), "factor"},
      {with_language(R"("rope_theta":0)"), "rope_theta"},
      {with_language(R"("eos_token_id":[-1])"), "eos_token_id"},
  };
  for (const auto& [text, word] : cases) EXPECT_THAT(refusal(text), HasSubstr(word)) << text;
}

// What says llava and has its images in tiles, or its tensors in another layout.
TEST(LlavaConfig, RelativesAreRefused) {
  const std::pair<std::string, const char*> cases[] = {
      {R"({"model_type":"llava","architectures":["LlavaNextForConditionalGeneration"]})",
       "expected LlavaForConditionalGeneration, found LlavaNext"},
      {R"({"model_type":"llava","image_aspect_ratio":"anyres_max_9"})", "LLaVA-1.6"},
      {R"({"model_type":"llava","mm_patch_merge_type":"spatial_unpad"})", "LLaVA-1.6"},
      {R"({"model_type":"llava","mm_vision_tower":"openai/clip-vit-large-patch14-336"})",
       "transformers' layout"}};
  for (const auto& [text, word] : cases) EXPECT_THAT(refusal(text), HasSubstr(word)) << text;
  for (const char* name : {"image_newline", "model.image_newline"}) {
    Checkpoint checkpoint;
    checkpoint.texts.emplace("config.json", R"({"model_type":"llava"})");
    EXPECT_TRUE(describe_model(checkpoint).has_value());
    checkpoint.tensors.emplace(
        name, StoredTensor{.name = name, .type = "F32", .dtype = {}, .shape = {}, .data = {}});
    EXPECT_THAT(describe_model(checkpoint).error().message, HasSubstr(name));
  }
}

TEST(LlavaConfig, BothSpellingsOfRope) {
  const auto old = parse_llava_config(
      with_language(
          R"("rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})"),
      "c");
  const auto now = parse_llava_config(
      with_language(
          R"("rope_parameters":{"rope_theta":500000.0,"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8192})"),
      "c");
  ASSERT_TRUE(old && now);
  EXPECT_EQ(old->language.rope.theta, now->language.rope.theta);
  EXPECT_EQ(old->language.rope.scaling, RopeConfig::Scaling::kLlama3);
  EXPECT_EQ(now->language.rope.scaling, RopeConfig::Scaling::kLlama3);
  EXPECT_EQ(now->language.rope.original_max_position, 8192);
}

}  // namespace
}  // namespace ocellus::models
