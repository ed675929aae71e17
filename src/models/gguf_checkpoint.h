// A model in GGUF: the language model in one file, tower and projector (mmproj) in another.
#pragma once

#include <filesystem>
#include <optional>

#include "models/checkpoint.h"

namespace ocellus::models {

struct GgufPair {
  std::filesystem::path language, tower;
};

// Nothing when `path` is no GGUF matter. A folder without config.json is searched for exactly one
// of each. kNotFound when one of the two is missing, kInvalidArgument when there are several.
Result<std::optional<GgufPair>> find_gguf_pair(const std::filesystem::path& path,
                                               const std::filesystem::path& mmproj);

// kBadModel also for two files that are no pair.
Result<Checkpoint> load_gguf_checkpoint(const GgufPair& pair);

// Everything of `checkpoint` but its tensors and files.
Status read_gguf_settings(Checkpoint& checkpoint, const formats::GgufFile& language,
                          const formats::GgufFile& tower);

}  // namespace ocellus::models
