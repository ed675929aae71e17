// The tokenizer of a GGUF file. Reference: the gguf package's constants (keys), and llama.cpp's
// converters (what they write).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "ocellus/error.h"

namespace ocellus::formats {

// Our own: the id of the token that stands for an image, where it is not called "<image>".
inline constexpr std::string_view kGgufImageTokenKey = "ocellus.image_token_id";

// Our own: "always" or "first" where a vocabulary with scores puts its space only before text that
// does not begin with one: before every segment of text, or at the very start alone.
inline constexpr std::string_view kGgufMetaspaceKey = "ocellus.tokenizer.metaspace";

// Our own: the text of generation_config.json, where it says more than which tokens end an answer.
inline constexpr std::string_view kGgufGenerationKey = "ocellus.generation_config";

// Our own: the merges of a vocabulary with scores that are not simply all ways to cut its tokens.
inline constexpr std::string_view kGgufMergesKey = "ocellus.tokenizer.merges";

// Texts are copies.
struct GgufVocabulary {
  std::string model;  // "llama": tokens with scores; "gpt2": byte-level BPE with merges
  std::string pre;    // gpt2's pre-tokenizer: "llama-bpe", "qwen2" ...
  std::vector<std::string> tokens;
  std::vector<float> scores;  // llama
  std::vector<std::int32_t>
      types;  // 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte
  std::vector<std::string> merges;  // gpt2: "left right"; llama: kGgufMergesKey, mostly none
  std::optional<std::int32_t> bos;  // put before every prompt, where the file says so
  bool prefix_space = true;
  std::string metaspace;  // kGgufMetaspaceKey; mostly empty
};

// kBadModel naming file and key; kUnsupported for another tokenizer.ggml.model.
Result<GgufVocabulary> read_gguf_vocabulary(const GgufMetadata& file);

}  // namespace ocellus::formats
