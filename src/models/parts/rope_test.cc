#include "models/parts/rope.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "formats/gguf_test_builder.h"
#include "models/parts/decoder_config.h"

namespace ocellus::models {
namespace {

// A GGUF language model of one head of `head` values, of which `rotated` are rotated.
std::vector<std::byte> gguf_of(std::uint32_t head, std::uint32_t rotated) {
  formats::GgufBuilder b;
  b.header(0, 8).entry("general.architecture", 8).text("llama");
  for (const auto& [key, value] :
       {std::pair{"embedding_length", head}, std::pair{"block_count", 1u},
        std::pair{"feed_forward_length", 8u}, std::pair{"attention.head_count", 1u},
        std::pair{"context_length", 64u}, std::pair{"attention.key_length", head},
        std::pair{"rope.dimension_count", rotated}})
    b.entry(std::string("llama.") + key, 4).put(value);
  return b.align().bytes();
}

// The number of rotated values goes from the file to the table of angles as it is: as a share of
// the head it lost a pair for 235 sizes, 58 of 100 among them.
TEST(Rope, EveryNumberOfRotatedDimensionsOfAGgufFile) {
  StoredTensors tensors;
  tensors.emplace("token_embd.weight", StoredTensor{.name = "token_embd.weight",
                                                    .type = "F32",
                                                    .dtype = tensor::DType::kF32,
                                                    .shape = {4, 8},
                                                    .data = {}});
  for (std::uint32_t head = 2; head <= 512; head += 2) {
    for (std::uint32_t rotated = 2; rotated <= head; rotated += 2) {
      const std::vector<std::byte> bytes = gguf_of(head, rotated);
      const auto file = formats::GgufFile::parse(bytes, "m.gguf");
      ASSERT_TRUE(file.has_value()) << file.error().message;
      const auto config = read_decoder_gguf({*file, tensors});
      ASSERT_TRUE(config.has_value()) << config.error().message;
      ASSERT_EQ(Rope(config->rope).half(), rotated / 2) << rotated << " of " << head;
    }
  }
}

}  // namespace
}  // namespace ocellus::models
