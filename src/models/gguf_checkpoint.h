// A model in GGUF: the language model in one file or several parts, tower and projector (mmproj) in
// another.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "models/checkpoint.h"

namespace ocellus::models {

struct GgufPair {
  std::vector<std::filesystem::path> language;  // its parts in order; one where it is not split
  std::filesystem::path tower;
};

Result<Checkpoint> load_gguf_checkpoint(const GgufPair& pair);

// Vocabulary and chat template, from `checkpoint.gguf`.
Status read_gguf_texts(Checkpoint& checkpoint);

}  // namespace ocellus::models
