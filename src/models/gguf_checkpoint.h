// A model in GGUF: the language model in one file, tower and projector (mmproj) in another.
#pragma once

#include <filesystem>
#include <optional>

#include "models/checkpoint.h"

namespace ocellus::models {

struct GgufPair {
  std::filesystem::path language, tower;
};

// Nothing when `path` is not of GGUF. A folder without config.json is searched for exactly one
// of each. kNotFound when one of the two is missing, kInvalidArgument when there are several.
Result<std::optional<GgufPair>> find_gguf_pair(const std::filesystem::path& path,
                                               const std::filesystem::path& mmproj);

Result<Checkpoint> load_gguf_checkpoint(const GgufPair& pair);

// Vocabulary and chat template, from `checkpoint.gguf`.
Status read_gguf_texts(Checkpoint& checkpoint);

}  // namespace ocellus::models
