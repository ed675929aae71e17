// ocellus inspect FILE.gguf: what the file itself says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ocellus/error.h"

namespace ocellus::cli {

// Whether the file begins like one.
bool is_gguf(const std::string& path);

// What a language model needs together with its tower.
struct PairMemory {
  std::string mmproj;
  std::size_t weight_bytes = 0;  // of both, as stored
  std::int64_t kv_cache_bytes = 0, context_tokens = 0;
};

// Prints metadata, types and, where they are asked for, tensors; or all of it as one JSON object.
// kBadModel, kIo.
Status inspect_gguf(const std::string& path, const std::optional<PairMemory>& pair, bool tensors,
                    bool json);

}  // namespace ocellus::cli
