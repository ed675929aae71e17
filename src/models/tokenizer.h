// The tokenizer of a checkpoint, whatever file it comes from.
#pragma once

#include <cstdint>
#include <memory>

#include "formats/gguf_model.h"
#include "models/checkpoint.h"
#include "text/tokenizer.h"

namespace ocellus::models {

// The vocabulary of a GGUF file. The picture's token is a control token whatever the file says, and
// stands behind the vocabulary where that has none.
Result<std::unique_ptr<const text::Tokenizer>> make_tokenizer(const formats::GgufVocabulary& v,
                                                              std::int64_t image_token);

// kBadModel, kUnsupported naming the file.
Result<std::unique_ptr<const text::Tokenizer>> make_tokenizer(const Checkpoint& c);

}  // namespace ocellus::models
