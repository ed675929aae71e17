// The small files of a Hugging Face folder: everything of a model but its tensors.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Gives a file's text by its bare name, "config.json"; empty where there is none. At most
// `max_bytes`.
using SettingsSource = std::function<Result<std::string>(const char* name, std::size_t max_bytes)>;

// The file's text; empty when there is no such file. kBadModel.
Result<std::string> read_optional_file(const std::filesystem::path& path, std::size_t max_bytes);

// Fills everything of `checkpoint` but tensors and files; checkpoint.folder, which is set already,
// names the files in errors. The texts asked for, and nothing else, decide the result. kNotFound,
// kBadModel, kUnsupported.
Status read_settings_files(Checkpoint& checkpoint, const SettingsSource& source);

}  // namespace ocellus::models
