// What the two GGUF files of a vision-language model say about it, in the same terms as
// config.json. Reference: the gguf package's constants (keys), and llama.cpp's converters (what
// they write).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "formats/model_config.h"
#include "ocellus/error.h"

namespace ocellus::formats {

// Our own: the id of the token that stands for the picture, where it is not called "<image>".
inline constexpr std::string_view kGgufImageTokenKey = "ocellus.image_token_id";

// Our own: "always" or "first" where a vocabulary with scores puts its space only before text that
// begins with none: before every stretch of text, or at the very start alone.
inline constexpr std::string_view kGgufMetaspaceKey = "ocellus.tokenizer.metaspace";

// Our own: the merges of a vocabulary with scores that are not simply all ways to cut its pieces.
inline constexpr std::string_view kGgufMergesKey = "ocellus.tokenizer.merges";

// Our own, in the tower's file: "crop", "pad" or "exact", where pictures that are not square are
// treated otherwise than the tower's family does.
inline constexpr std::string_view kGgufPictureKey = "ocellus.picture";

// The tokenizer of a GGUF file; texts are copies.
struct GgufVocabulary {
  std::string model;  // "llama": pieces with scores; "gpt2": byte-level BPE with merges
  std::string pre;    // how gpt2 cuts text into words: "llama-bpe", "qwen2" ...
  std::vector<std::string> tokens;
  std::vector<float> scores;  // llama
  std::vector<std::int32_t>
      types;  // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
  std::vector<std::string> merges;    // gpt2: "left right"; llama: kGgufMergesKey, mostly none
  std::optional<std::int32_t> begin;  // put before every prompt, where the file says so
  bool prefix_space = true;
  std::string metaspace;  // kGgufMetaspaceKey; mostly empty
};

// The language model's file. `config.tower` and `config.projector` are not touched. kBadModel
// naming file and key; kUnsupported for another architecture than llama and qwen2, or another rope
// scaling.
Status read_gguf_language(const GgufFile& file, ModelConfig& config);
Result<GgufVocabulary> read_gguf_vocabulary(const GgufFile& file);

// The tower's file (mmproj): fills `config.tower`, `config.projector` and the picture's settings.
Status read_gguf_tower(const GgufFile& file, ModelConfig& config, ImageProcessorConfig& processor);

}  // namespace ocellus::formats
