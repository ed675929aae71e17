// Which files of a disk are a model in GGUF. Their content decides, not what they are called.
#pragma once

#include <filesystem>
#include <optional>

#include "models/gguf_checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Nothing when `path` is not of GGUF. A language model's file, or any part of one that is split as
// NAME-00001-of-00003.gguf; its tower is `mmproj`, else the one beside it. A folder without
// config.json is searched for exactly one of each. Also what Ollama keeps (ollama_store.h).
// kModelNotFound when one of the two or a part is missing, kInvalidArgument when there are several.
Result<std::optional<GgufPair>> find_gguf_pair(const std::filesystem::path& path,
                                               const std::filesystem::path& mmproj);

}  // namespace ocellus::models
