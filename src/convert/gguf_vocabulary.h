// A Hugging Face tokenizer as GGUF files have it.
#pragma once

#include "formats/gguf_vocabulary.h"
#include "models/description.h"
#include "ocellus/error.h"

namespace ocellus::convert {

// As many tokens as the embeddings have rows. kUnsupported for a tokenizer that has no GGUF form;
// kBadModel.
Result<formats::GgufVocabulary> make_gguf_vocabulary(const models::ModelDescription& model);

}  // namespace ocellus::convert
