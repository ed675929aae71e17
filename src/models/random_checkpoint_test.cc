#include "models/random_checkpoint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "compute/cpu/cpu_backend.h"
#include "models/families.h"
#include "tensor/quant.h"

namespace ocellus::models {
namespace {

using tensor::DType;

constexpr std::int64_t kVocabulary = 96;

std::string tiny_config(std::int64_t layers = 2) {
  return fmt::format(
      R"({{"model_type": "llava", "vision_config": {{"model_type": "clip_vision_model",
 "image_size": 28, "patch_size": 14, "hidden_size": 256, "intermediate_size": 256,
 "num_hidden_layers": 2, "num_attention_heads": 4}},
 "text_config": {{"model_type": "llama", "hidden_size": 256, "intermediate_size": 512,
 "num_hidden_layers": {}, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": {},
 "rms_norm_eps": 1e-5}}}})",
      layers, kVocabulary);
}

// The logits of a picture's four rows, the whole way.
std::vector<float> logits_of(const std::string& config, DType weights, DType tower) {
  const auto backend = *compute::cpu::make_cpu_backend({.threads = 1});
  const auto random = make_random_checkpoint(config, weights, tower);
  EXPECT_TRUE(random) << random.error().message;
  const auto model = load_model(random->checkpoint, *backend, {});
  EXPECT_TRUE(model) << model.error().message;
  if (!model) return {};
  const auto encoder = (*model)->make_encoder();
  PreparedImage picture;
  picture.plan = *(*model)->plan_image({28, 28}, ImageUse::kAlone);
  EXPECT_EQ(picture.plan.rows(), 4);
  picture.inputs = {{.shape = {3, 28, 28}, .values = std::vector<float>(3 * 28 * 28, 0.5f)}};
  EXPECT_TRUE(encoder->begin(picture));
  while (!encoder->done()) EXPECT_TRUE(encoder->advance());
  ImageEmbeddings embeddings = encoder->take();
  const LanguageModel& language = (*model)->language();
  MatrixBuffer logits_buffer;
  const auto logits = *logits_buffer.shape(4, kVocabulary);
  Step step;
  step.geometry = language.kv_geometry(DType::kF32);
  step.x = {embeddings.data.data(), 4, embeddings.cols, embeddings.cols};
  std::vector<std::byte> block(*language.kv_block_bytes(step.geometry));
  std::byte* const blocks = block.data();
  const Position positions[] = {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {3, 3, 3}};
  step.sequences = {{.cache = {0, 4, 0, {&blocks, 1}}, .positions = positions}};
  step.logit_rows = {0, 1, 2, 3};
  const auto scratch = language.make_scratch();
  EXPECT_TRUE(language.begin(step, *scratch));
  for (std::int64_t i = 0; i < language.facts().layers; ++i)
    EXPECT_TRUE(language.run_layer(i, step, *scratch));
  EXPECT_TRUE(language.head(step, *scratch, logits));
  std::vector<float> values;
  for (std::int64_t row = 0; row < logits.rows; ++row)
    values.insert(values.end(), logits.row(row), logits.row(row) + logits.cols);
  return values;
}

void expect_ordinary(const std::vector<float>& values, const std::string& what) {
  ASSERT_FALSE(values.empty()) << what;
  for (const float value : values) ASSERT_TRUE(std::isfinite(value)) << what;
  const auto [low, high] = std::ranges::minmax(values);
  EXPECT_GT(high - low, 1e-4f) << what;
  EXPECT_LT(std::max(high, -low), 1e3f) << what;
}

TEST(RandomCheckpoint, EveryTypeLoadsAndGivesFiniteLogits) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                            DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kQ8, DType::kQ4}) {
    const std::string name(tensor::dtype_name(dtype));
    expect_ordinary(logits_of(tiny_config(), dtype, dtype), name);
    expect_ordinary(logits_of(tiny_config(), dtype, DType::kBF16), name + " with a bf16 tower");
  }
}

TEST(RandomCheckpoint, ActivationsStayFiniteThroughManyLayers) {
  expect_ordinary(logits_of(tiny_config(48), DType::kQ8_0, DType::kF16), "48 layers");
}

TEST(RandomCheckpoint, StoresMatricesAsFilesOfThatTypeDo) {
  const auto random = make_random_checkpoint(tiny_config(), DType::kQ4_0, DType::kQ8_0);
  ASSERT_TRUE(random);
  const auto dtype_of = [&](std::string_view name) {
    const auto found = random->checkpoint.tensors.find(name);
    EXPECT_NE(found, random->checkpoint.tensors.end()) << name;
    return found->second.dtype;
  };
  EXPECT_EQ(dtype_of("language_model.model.embed_tokens.weight"), DType::kQ4_0);
  EXPECT_EQ(dtype_of("language_model.model.layers.1.mlp.down_proj.weight"), DType::kQ4_0);
  EXPECT_EQ(dtype_of("language_model.lm_head.weight"), DType::kQ6_K);
  EXPECT_EQ(dtype_of("language_model.model.norm.weight"), DType::kF32);
  EXPECT_EQ(dtype_of("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"), DType::kQ8_0);
  EXPECT_EQ(dtype_of("vision_tower.vision_model.embeddings.patch_embedding.weight"), DType::kF16);
  EXPECT_EQ(dtype_of("multi_modal_projector.linear_1.weight"), DType::kF16);
}

TEST(RandomCheckpoint, TensorsDifferThoughTheyShareMemory) {
  const auto random = make_random_checkpoint(tiny_config(), DType::kF16, DType::kF16);
  ASSERT_TRUE(random);
  const auto& tensors = random->checkpoint.tensors;
  const auto& q = tensors.at("language_model.model.layers.0.self_attn.q_proj.weight").data;
  const auto& o = tensors.at("language_model.model.layers.0.self_attn.o_proj.weight").data;
  ASSERT_EQ(q.size(), o.size());
  EXPECT_NE(std::memcmp(q.data(), o.data(), q.size()), 0);
  std::size_t stored = 0, held = 0;
  for (const auto& [name, tensor] : tensors) stored += tensor.data.size();
  const auto large = make_random_checkpoint(tiny_config(200), DType::kF16, DType::kF16);
  ASSERT_TRUE(large);
  for (const auto& buffer : large->buffers) held += buffer.size();
  std::size_t large_stored = 0;
  for (const auto& [name, tensor] : large->checkpoint.tensors) large_stored += tensor.data.size();
  EXPECT_GT(large_stored, 10 * stored);
  EXPECT_LT(held, large_stored / 10);
}

TEST(RandomCheckpoint, IsTheSameEachTime) {
  const auto a = make_random_checkpoint(tiny_config(), DType::kQ4_K, DType::kF16);
  const auto b = make_random_checkpoint(tiny_config(), DType::kQ4_K, DType::kF16);
  ASSERT_TRUE(a && b);
  for (const auto& [name, tensor] : a->checkpoint.tensors) {
    EXPECT_TRUE(std::ranges::equal(tensor.data, b->checkpoint.tensors.at(name).data)) << name;
  }
}

TEST(RandomCheckpoint, RefusesWhatIsNoModel) {
  const auto integers = make_random_checkpoint(tiny_config(), DType::kI32, DType::kF16);
  ASSERT_FALSE(integers);
  EXPECT_EQ(integers.error().code, ErrorCode::kUnsupported);
  const auto nothing = make_random_checkpoint(tiny_config(-1), DType::kF16, DType::kF16);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, ErrorCode::kBadModel);
}

TEST(RandomModels, HaveTheSizesOfTheModelsByTheirNames) {
  const std::map<std::string, std::int64_t> rows_of = {
      {"llava-1.5-7b", 576},    {"llava-1.5-13b", 576},   {"tinyllama-1.1b", 576},
      {"llava-1.6-7b", 2928},   {"onevision-0.5b", 8829}, {"smolvlm-256m", 1088},
      {"smolvlm-500m", 1088},   {"smolvlm2-2.2b", 1377},  {"internvl3-2b", 3328},
      {"internvl3.5-2b", 3328}, {"qwen2.5-vl-3b", 1280},  {"qwen3-vl-2b", 980},
      {"qwen3-vl-4b", 980},     {"qwen3.5-0.8b", 980},    {"qwen3.5-2b", 980},
      {"qwen3.5-4b", 980}};
  for (const std::string& name : random_model_names()) {
    const RandomModel* const model = find_random_model(name);
    ASSERT_NE(model, nullptr) << name;
    Checkpoint checkpoint;
    for (const std::int64_t layers : {std::int64_t{0}, std::int64_t{3}}) {
      checkpoint.texts["config.json"] = model->config(layers);
      const auto description = describe_model(checkpoint);
      ASSERT_TRUE(description) << description.error().message;
      const ModelSummary& summary = (*description)->summary();
      if (!name.starts_with("qwen3")) {  // whose heads are no share of the width
        EXPECT_EQ(summary.language.hidden_size, summary.language.heads * summary.language.head_dim);
      }
      EXPECT_EQ(summary.language.layers, layers == 0 ? model->layers : layers);
      EXPECT_EQ(summary.image_rows, rows_of.at(name));
    }
  }
  EXPECT_EQ(find_random_model("llava-1.5-13b")->layers, 40);
  EXPECT_EQ(find_random_model("llava-1.5-8b"), nullptr);
}

}  // namespace
}  // namespace ocellus::models
