// ocellus inspect FILE.gguf: what the file itself says.
#pragma once

#include <string>

#include "ocellus/error.h"

namespace ocellus::cli {

// Whether the file begins like one.
bool is_gguf(const std::string& path);

// Prints metadata and tensors, as text or as one JSON object. kBadModel, kIo.
Status inspect_gguf(const std::string& path, bool json);

}  // namespace ocellus::cli
