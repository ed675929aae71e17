// Hugging Face's JSON files as settings, with the defaults that transformers' configuration classes
// give to what is left out. Reference: transformers 5,
// models/{llava,clip,siglip,llama,mistral,qwen2}/configuration_*.py; both spellings of 4.x and 5.x.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/model_config.h"
#include "ocellus/error.h"

namespace ocellus::formats {

// Sizes beyond these are refused before anything is computed from them.
inline constexpr std::int64_t kMaxLayers = 1024;
inline constexpr std::int64_t kMaxHeads = 1024;
inline constexpr std::int64_t kMaxHidden = 65536;
inline constexpr std::int64_t kMaxVocabulary = std::int64_t{1} << 21;
inline constexpr std::int64_t kMaxImageSide = 4096;

// config.json of a LLaVA model. kBadModel naming `file`, the key, expected and found; kUnsupported
// for a kind of model, activation or rope scaling that is not built in.
Result<ModelConfig> parse_model_config(std::string_view text, std::string_view file);

// preprocessor_config.json, or processor_config.json with its `image_processor`.
Result<ImageProcessorConfig> parse_image_processor(std::string_view text, std::string_view file);

Result<GenerationConfig> parse_generation_config(std::string_view text, std::string_view file);

// The chat template in tokenizer_config.json or chat_template.json: a text, or the one named
// "default" of several.
Result<std::optional<std::string>> parse_chat_template(std::string_view text,
                                                       std::string_view file);

}  // namespace ocellus::formats
