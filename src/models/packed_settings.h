// What a packed model says about itself, as texts: the very files that its source was read from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Names of the texts that stand for a GGUF pair.
inline constexpr std::string_view kPackedLanguage = "language.gguf";
inline constexpr std::string_view kPackedTower = "mmproj.gguf";

struct SettingsText {
  std::string name, content;
};

// Of a Hugging Face folder, those of its small files that loading read. Of a GGUF pair, two GGUF
// files with all metadata and the names of all tensors, which are a single value each: but the
// embeddings, of which there is one for each row, and the rope's divisors. Errors as of
// load_checkpoint().
Result<std::vector<SettingsText>> settings_texts(const Checkpoint& checkpoint);

}  // namespace ocellus::models
