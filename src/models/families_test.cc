// Which family a checkpoint is of, and what is said of one that is of none.
#include "models/families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf_test_builder.h"

namespace ocellus::models {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

std::string refusal(const Checkpoint& checkpoint) {
  const auto description = describe_model(checkpoint);
  if (description) return "accepted";
  EXPECT_EQ(description.error().code, ErrorCode::kUnsupported);
  return description.error().message;
}

TEST(Families, ModelTypesOfNoFamilyAreNamed) {
  Checkpoint c;
  c.path = "model";
  for (const char* type : {"qwen2_audio", "llama", "llava_next_video"}) {
    c.texts["config.json"] = std::string(R"({"model_type":")") + type + "\"}";
    EXPECT_EQ(
        refusal(c),
        std::string("model/config.json: model_type: expected llava_onevision, llava_next, "
                    "llava, idefics3, smolvlm, internvl, internvl_chat, qwen2_vl, qwen2_5_vl, "
                    "qwen3_vl, qwen3_5, found \"") +
            type + "\"");
  }
}

Bytes metadata(std::initializer_list<std::pair<const char*, const char*>> texts) {
  formats::GgufBuilder b;
  b.put<std::uint64_t>(texts.size());
  for (const auto& [key, value] : texts) b.entry(key, 8).text(value);
  return b.bytes();
}

TEST(Families, GgufPairsOfNoFamilyAreNamed) {
  const auto parse = [](const Bytes& bytes, const char* file) {
    return *formats::GgufMetadata::parse(bytes, file);
  };
  const Bytes llama = metadata({{"general.architecture", "llama"}}),
              gemma = metadata({{"general.architecture", "gemma3"}}),
              ldp = metadata({{"general.architecture", "clip"}, {"clip.projector_type", "ldp"}}),
              vision = metadata({{"general.architecture", "clip"},
                                 {"clip.projector_type", "mlp"},
                                 {"clip.vision.projector_type", "pixtral"}}),
              mlp = metadata({{"general.architecture", "clip"}});
  Checkpoint c;
  c.vocabulary.emplace();
  c.gguf = Checkpoint::GgufPair{parse(llama, "lm.gguf"), parse(ldp, "mmproj.gguf")};
  EXPECT_EQ(refusal(c),
            "mmproj.gguf: clip.projector_type: expected mlp, idefics3, internvl, qwen2vl_merger, "
            "qwen2.5vl_merger, qwen3vl_merger, found \"ldp\"");
  c.gguf = Checkpoint::GgufPair{parse(llama, "lm.gguf"), parse(vision, "mmproj.gguf")};
  EXPECT_THAT(refusal(c), HasSubstr("qwen3vl_merger, found \"pixtral\""));
  c.gguf = Checkpoint::GgufPair{parse(gemma, "lm.gguf"), parse(mlp, "mmproj.gguf")};
  EXPECT_EQ(refusal(c),
            "lm.gguf: general.architecture: expected llama, qwen2, qwen3, qwen2vl, qwen3vl, "
            "qwen35, granite, found \"gemma3\"");
}

}  // namespace
}  // namespace ocellus::models
