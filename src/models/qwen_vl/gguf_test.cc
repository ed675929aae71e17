// GGUF pairs of Qwen-VL as older converters wrote them, and such as do not fit together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "formats/gguf_writer.h"
#include "models/families.h"

namespace ocellus::models {
namespace {

using formats::GgufMetadata;
using formats::GgufWriter;
using tensor::Shape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kWidth = 32, kInner = 64, kOut = 48;

GgufMetadata metadata(const GgufWriter& writer, const char* file) {
  static std::deque<std::vector<std::byte>> kept;  // metadata points into them
  std::vector<std::byte>& bytes = kept.emplace_back();
  EXPECT_TRUE(writer.write(
      [&](std::span<const std::byte> more) -> Status {
        bytes.insert(bytes.end(), more.begin(), more.end());
        return {};
      },
      {}));
  return GgufMetadata::parse(formats::GgufFile::parse(bytes, file).value().section(), file).value();
}

void add(StoredTensors& tensors, const std::string& name, const Shape& shape) {
  tensors.emplace(
      name,
      StoredTensor{
          .name = name, .type = "F32", .dtype = tensor::DType::kF32, .shape = shape, .data = {}});
}

GgufWriter language_keys(const std::string& architecture) {
  GgufWriter w;
  w.put_text("general.architecture", architecture);
  for (const auto& [key, value] : {std::pair<const char*, std::uint32_t>{"embedding_length", kOut},
                                   {"block_count", 1},
                                   {"feed_forward_length", 64},
                                   {"attention.head_count", 4},
                                   {"context_length", 512}})
    w.put_u32(architecture + "." + key, value);
  w.put_i32s(architecture + ".rope.dimension_sections", std::vector<std::int32_t>{1, 2, 3, 0});
  return w;
}

GgufWriter tower_keys(const char* projector) {
  GgufWriter w;
  w.put_text("general.architecture", "clip");
  w.put_text("clip.projector_type", projector);
  for (const auto& [key, value] :
       {std::pair<const char*, std::uint32_t>{"embedding_length", kWidth},
        {"block_count", 16},
        {"feed_forward_length", 0},
        {"attention.head_count", 4},
        {"patch_size", 14}})
    w.put_u32(std::string("clip.vision.") + key, value);
  return w;
}

Checkpoint pair(const std::string& architecture, const char* projector) {
  Checkpoint c;
  c.path = "lm.gguf";
  c.gguf = Checkpoint::GgufPair{metadata(language_keys(architecture), "lm.gguf"),
                                metadata(tower_keys(projector), "mmproj.gguf")};
  c.vocabulary.emplace().tokens = {"<|endoftext|>", "<|image_pad|>"};
  add(c.tensors, "token_embd.weight", {2, kOut});
  // As fc1 and fc2 were called at first.
  add(c.tower_tensors, "v.blk.0.ffn_down.weight", {kInner, kWidth});
  add(c.tower_tensors, "v.blk.0.ffn_up.weight", {kWidth, kInner});
  return c;
}

TEST(QwenVlGguf, WhatAnOlderFileLeavesOutIsAsPublishedAndSaidToBe) {
  const Checkpoint c = pair("qwen2vl", "qwen2vl_merger");
  const auto model = describe_model(c);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ((*model)->summary().image_rows, 16384);
  EXPECT_EQ((*model)->tokens().image, 1);
  EXPECT_THAT((*model)->assumed(),
              ElementsAre(HasSubstr("clip.vision.image_min_pixels: absent from mmproj.gguf; 3136"),
                          HasSubstr("clip.vision.image_max_pixels")));
  const TensorTable& table = (*model)->tensors().table();
  const TensorSpec* const first = table.find("tower.blocks.0.mlp.fc1.weight");
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->gguf, "v.blk.0.ffn_down.weight");
  EXPECT_EQ(first->shape, (Shape{kInner, kWidth}));
}

TEST(QwenVlGguf, WindowsWithoutKeysAreThePublishedOnes) {
  Checkpoint c = pair("qwen2vl", "qwen2.5vl_merger");
  c.tower_tensors.at("v.blk.0.ffn_up.weight").shape = {kInner, kWidth};
  const auto model = describe_model(c);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT((*model)->assumed().front(), HasSubstr("clip.vision.n_wa_pattern"));
  EXPECT_NE((*model)->tensors().table().find("tower.blocks.0.mlp.gate_proj.weight"), nullptr);
}

TEST(QwenVlGguf, FilesThatDoNotBelongTogetherAreNamed) {
  EXPECT_THAT(describe_model(pair("qwen2vl", "qwen3vl_merger")).error().message,
              HasSubstr("lm.gguf: general.architecture: expected qwen3vl, as mmproj.gguf has the "
                        "projector qwen3vl_merger, found qwen2vl"));
}

TEST(QwenVlGguf, SectionsThatAreNoHalfOfAHeadAreRefused) {
  Checkpoint c = pair("qwen2vl", "qwen2vl_merger");
  GgufWriter w = language_keys("qwen2vl");
  w.put_u32("qwen2vl.rope.dimension_count", 8);
  c.gguf->language = metadata(w, "lm.gguf");
  EXPECT_THAT(describe_model(c).error().message,
              HasSubstr("lm.gguf: qwen2vl.rope.dimension_sections: expected three numbers with the "
                        "sum 4, half of the head's size, found 1, 2, 3, 0"));
}

// One frame of two is no kernel, nor are two of unlike types.
TEST(QwenVlGguf, FramesOfAKernelAreJoinedOrNamed) {
  Checkpoint c = pair("qwen2vl", "qwen2vl_merger");
  const std::string name = "v.patch_embd.weight";
  add(c.tower_tensors, name, {kWidth, 3, 14, 14});
  std::vector<float> first(kWidth * 3 * 14 * 14), second(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = static_cast<float>(i);
    second[i] = -first[i];
  }
  c.tower_tensors.at(name).data = std::as_bytes(std::span(first));
  EXPECT_THAT(describe_model(c).error().message,
              HasSubstr("tensor v.patch_embd.weight.1 is missing"));
  add(c.tower_tensors, name + ".1", {kWidth, 3, 14, 7});
  EXPECT_THAT(describe_model(c).error().message,
              HasSubstr("tensor v.patch_embd.weight.1: expected shape [32, 3, 14, 14]"));
  c.tower_tensors.at(name + ".1").shape = {kWidth, 3, 14, 14};
  c.tower_tensors.at(name + ".1").data = std::as_bytes(std::span(second));
  const auto model = describe_model(c);
  ASSERT_TRUE(model) << model.error().message;
  const ModelTensors& tensors = (*model)->tensors();
  const auto view = tensors.view(*tensors.table().find("tower.patch_embed.proj.weight"));
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_EQ(view->shape, (Shape{kWidth, 3, 2, 14, 14}));
  const auto* const values = reinterpret_cast<const float*>(view->data.data());
  EXPECT_EQ(values[5], 5);                  // channel 0, frame 0
  EXPECT_EQ(values[196 + 5], -5);           // channel 0, frame 1
  EXPECT_EQ(values[2 * 196 + 5], 196 + 5);  // channel 1, frame 0
  EXPECT_THAT(tensors.ignored(), ElementsAre());
}

}  // namespace
}  // namespace ocellus::models
