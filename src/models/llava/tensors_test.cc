// The table of LLaVA's tensors: every spelling of a checkpoint's names, and what is said of a
// tensor that is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "models/families.h"
#include "models/llava/config.h"

namespace ocellus::models {
namespace {

using ::testing::HasSubstr;

constexpr const char* kConfig =
    R"({"model_type": "llava", "vision_config": {"model_type": "clip_vision_model",
 "image_size": 28, "patch_size": 14, "hidden_size": 8, "intermediate_size": 16,
 "num_hidden_layers": 2, "num_attention_heads": 2},
 "text_config": {"model_type": "llama", "hidden_size": 8, "intermediate_size": 16,
 "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 32}})";

StoredTensor stored(const std::string& name, const tensor::Shape& shape) {
  return {.name = name, .type = "F32", .dtype = tensor::DType::kF32, .shape = shape, .data = {}};
}

// A checkpoint with every tensor of the table in one of its styles.
Checkpoint checkpoint_in(std::size_t style) {
  Checkpoint c;
  c.path = "model";
  c.texts.emplace("config.json", kConfig);
  const TensorTable table = mlp_tiled_tensors(*parse_llava_config(kConfig, "config.json"));
  for (const TensorSpec& spec : table.specs()) {
    const std::string name = TensorTable::name_in(table.styles()[style], spec.name);
    c.tensors.emplace(name, stored(name, spec.shape));
  }
  return c;
}

std::string message_without(Checkpoint& c, const std::string& stored_name, const char* name) {
  EXPECT_EQ(c.tensors.erase(stored_name), 1u) << stored_name;
  const auto description = describe_model(c);
  EXPECT_TRUE(description.has_value());
  const ModelTensors& tensors = (*description)->tensors();
  const auto view = tensors.view(*tensors.table().find(name));
  return view ? "found" : view.error().message;
}

TEST(LlavaTensors, EveryStyleIsFoundAndSpokenOfInItsOwnSpelling) {
  const TensorTable table = mlp_tiled_tensors(*parse_llava_config(kConfig, "config.json"));
  const std::pair<const char*, const char*> lost[] = {
      {"language_model.model.layers.1.mlp.up_proj.weight",
       "vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"},
      {"model.language_model.layers.1.mlp.up_proj.weight",
       "model.vision_tower.vision_model.encoder.layers.0.mlp.fc1.bias"},
      {"model.language_model.layers.1.mlp.up_proj.weight",
       "model.vision_tower.encoder.layers.0.mlp.fc1.bias"},
      {"language_model.model.layers.1.mlp.up_proj.weight",
       "vision_tower.encoder.layers.0.mlp.fc1.bias"}};
  ASSERT_EQ(table.styles().size(), std::size(lost));
  for (std::size_t style = 0; style < std::size(lost); ++style) {
    SCOPED_TRACE(style);
    Checkpoint c = checkpoint_in(style);
    {
      const auto description = describe_model(c);
      ASSERT_TRUE(description.has_value()) << description.error().message;
      for (const TensorSpec& spec : table.specs())
        EXPECT_TRUE((*description)->tensors().has(spec.name)) << spec.name;
    }
    EXPECT_EQ(message_without(c, lost[style].first, "language.layers.1.mlp.up_proj.weight"),
              std::string("model: tensor ") + lost[style].first + " is missing");
    EXPECT_EQ(message_without(c, lost[style].second, "tower.encoder.layers.0.mlp.fc1.bias"),
              std::string("model: tensor ") + lost[style].second + " is missing");
  }
}

TEST(LlavaTensors, AnotherShapeIsSpokenOfInItsOwnSpelling) {
  Checkpoint c = checkpoint_in(1);
  c.tensors.at("lm_head.weight").shape = {31, 8};
  const auto description = describe_model(c);
  const ModelTensors& tensors = (*description)->tensors();
  EXPECT_EQ(tensors.view(*tensors.table().find("lm_head.weight")).error().message,
            "model: tensor lm_head.weight: expected shape [32, 8], found [31, 8]");
}

TEST(LlavaTensors, TwoSpellingsOfOneTensorAreAnError) {
  Checkpoint c = checkpoint_in(0);
  c.tensors.emplace("lm_head.weight", stored("lm_head.weight", {32, 8}));
  EXPECT_THAT(describe_model(c).error().message,
              HasSubstr("language_model.lm_head.weight and lm_head.weight"));
}

// Of GGUF pairs the file is named that lacks it, in GGUF's spelling.
TEST(LlavaTensors, GgufNamesAreSpokenOfAsSuch) {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  auto c = load_checkpoint(std::filesystem::path(source) / "tests/golden/gguf/clip_llama");
  ASSERT_TRUE(c.has_value()) << c.error().message;
  EXPECT_THAT(
      message_without(*c, "blk.1.attn_q.weight", "language.layers.1.self_attn.q_proj.weight"),
      HasSubstr("lm.gguf: tensor blk.1.attn_q.weight is missing"));
  c->tower_tensors.erase("v.blk.0.ln1.bias");
  EXPECT_THAT(
      message_without(*c, "blk.0.ffn_norm.weight", "tower.encoder.layers.0.layer_norm1.bias"),
      HasSubstr("mmproj.gguf: tensor v.blk.0.ln1.bias is missing"));
}

// A GGUF tower of LLaVA-1.6 has the projector type of LLaVA-1.5.
TEST(LlavaTensors, AGgufTowerWithANewlineIsAnotherFamilys) {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  auto c = load_checkpoint(std::filesystem::path(source) / "tests/golden/gguf/clip_llama");
  ASSERT_TRUE(c.has_value()) << c.error().message;
  c->tower_tensors.emplace("model.image_newline", stored("model.image_newline", {48}));
  EXPECT_THAT(describe_model(*c).error().message,
              HasSubstr("mmproj.gguf: image_grid_pinpoints: expected multiples of the tower's 42"));
}

// What the table lacks is listed, but for what is known to be unused.
TEST(LlavaTensors, OthersAreListed) {
  Checkpoint c = checkpoint_in(0);
  for (const char* name :
       {"vision_tower.vision_model.embeddings.position_ids", "vision_tower.vision_model.head.probe",
        "language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
        "language_model.model.layers.0.self_attn.q_norm.weight"})
    c.tensors.emplace(name, stored(name, {1}));
  EXPECT_THAT((*describe_model(c))->tensors().ignored(),
              ::testing::ElementsAre("language_model.model.layers.0.self_attn.q_norm.weight"));
}

// Names are the key of everything: no two rows share one.
TEST(LlavaTensors, NamesAreUnique) {
  for (const bool swapped : {false, true}) {
    LlavaConfig config = *parse_llava_config(kConfig, "config.json");
    config.gguf_ffn_swapped = swapped;
    std::set<std::string> names, gguf;
    const TensorTable table = mlp_tiled_tensors(config);
    for (const TensorSpec& spec : table.specs()) {
      EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
      EXPECT_TRUE(gguf.insert(spec.gguf).second) << spec.gguf;
    }
  }
}

}  // namespace
}  // namespace ocellus::models
