// What a packed model says about itself, as texts: the very files that its source was read from.
#pragma once

#include <string>
#include <vector>

#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::convert {

struct SettingsText {
  std::string name, content;
};

// Of a Hugging Face folder, those of its small files that loading read. Of a GGUF pair, two GGUF
// files with all metadata and the names of all tensors, which are a single value each: but the
// embeddings, of which there is one for each row, and the rope's divisors. Errors as of
// load_checkpoint().
Result<std::vector<SettingsText>> settings_texts(const models::Checkpoint& checkpoint);

}  // namespace ocellus::convert
