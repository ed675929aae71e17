// Reading a packed model (formats/packed_model.h) as a checkpoint.
#pragma once

#include <filesystem>
#include <string_view>

#include "models/checkpoint.h"
#include "models/load_options.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Names of the texts that hold a GGUF pair's metadata (GgufMetadata::section).
inline constexpr std::string_view kPackedLanguage = "language.gguf";
inline constexpr std::string_view kPackedTower = "mmproj.gguf";

// Whether there is a file that begins like one.
bool is_packed_model(const std::filesystem::path& path);

// Reads header and directory; matrices are mapped, and not read. kBadModel, kUnsupported, kIo
// naming the file.
Result<Checkpoint> load_packed_checkpoint(const std::filesystem::path& path);

// Reads every matrix and compares checksums: seconds for a large model. kBadModel naming the first
// that is damaged, kCancelled.
Status verify_packed_model(const std::filesystem::path& path, const Progress& progress,
                           const StopCheck& stop);

}  // namespace ocellus::models
