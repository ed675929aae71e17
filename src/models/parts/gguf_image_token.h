// Where an image stands in the prompts of a GGUF model, for which there is no key.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// The id that the file names by our own key; the vocabulary's token of one of the `names`; else one
// of our own after its last. kBadModel.
Result<std::int64_t> gguf_image_token(const Checkpoint& checkpoint, std::int64_t vocab_size,
                                      std::initializer_list<std::string_view> names);

}  // namespace ocellus::models
