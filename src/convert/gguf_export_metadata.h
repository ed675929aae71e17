// What a checkpoint says about itself, as entries of GGUF files.
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/gguf_model.h"
#include "formats/gguf_writer.h"
#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::convert {

// "llama" (which Mistral is too) or "qwen2".
std::string_view gguf_architecture(const formats::LanguageConfig& config);

// general.file_type and general.quantization_version: what the file's matrices mostly are.
void put_file_type(formats::GgufWriter& writer, tensor::DType weights);
inline constexpr std::string_view kFileTypeKey = "general.file_type";
inline constexpr std::string_view kQuantizationKey = "general.quantization_version";

// kUnsupported for what the format has no word for; kBadModel for ids beyond the vocabulary.
Status put_language(formats::GgufWriter& writer, const models::Checkpoint& checkpoint,
                    const formats::GgufVocabulary& vocabulary, std::string_view name,
                    tensor::DType weights);
Status put_tower(formats::GgufWriter& writer, const models::Checkpoint& checkpoint,
                 std::string_view name, tensor::DType weights);

}  // namespace ocellus::convert
