// The tokenizer of a checkpoint, whatever file it comes from.
#pragma once

#include <cstdint>
#include <memory>

#include "formats/gguf_vocabulary.h"
#include "models/checkpoint.h"
#include "text/tokenizer.h"

namespace ocellus::models {

// The vocabulary of a GGUF file. The image's token is a control token whatever the file says, and
// comes after the vocabulary where that has none.
Result<std::unique_ptr<const text::Tokenizer>> make_tokenizer(const formats::GgufVocabulary& v,
                                                              std::int64_t image_token);

// Those of a Hugging Face folder; they live as long as the checkpoint.
text::TokenizerFiles tokenizer_files(const Checkpoint& checkpoint);

// `image_token` as ModelDescription::tokens() says; a Hugging Face tokenizer has its own.
// kBadModel, kUnsupported naming the file.
Result<std::unique_ptr<const text::Tokenizer>> make_tokenizer(const Checkpoint& checkpoint,
                                                              std::int64_t image_token);

}  // namespace ocellus::models
