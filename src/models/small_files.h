// The small files of a Hugging Face folder: everything of a model but its tensors.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Gives a file's text by its name, "config.json"; empty where there is none. At most `max_bytes`.
using SmallFileSource =
    std::function<Result<std::string>(std::string_view name, std::size_t max_bytes)>;

// The file's text; empty when there is no such file. kBadModel.
Result<std::string> read_optional_file(const std::filesystem::path& path, std::size_t max_bytes);

// Fills texts, generation settings and chat template; checkpoint.path, which is set already, names
// the files in errors. kModelNotFound without config.json or a tokenizer; kBadModel.
Status read_small_files(Checkpoint& checkpoint, const SmallFileSource& source);

}  // namespace ocellus::models
