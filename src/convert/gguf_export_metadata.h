// What every GGUF file says about itself, whatever its model: types of weights, and the tokenizer.
#pragma once

#include <string_view>

#include "formats/gguf_vocabulary.h"
#include "formats/gguf_writer.h"
#include "models/description.h"
#include "ocellus/error.h"

namespace ocellus::convert {

// general.file_type and general.quantization_version: what the file's matrices mostly are.
void put_file_type(formats::GgufWriter& writer, tensor::DType weights);
inline constexpr std::string_view kFileTypeKey = "general.file_type";
inline constexpr std::string_view kQuantizationKey = "general.quantization_version";

// The vocabulary, special tokens and the chat template. kBadModel for ids beyond the vocabulary.
Status put_tokens(formats::GgufWriter& writer, const models::ModelDescription& model,
                  const formats::GgufVocabulary& vocabulary);

}  // namespace ocellus::convert
