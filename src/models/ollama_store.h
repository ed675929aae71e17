// Models in Ollama's store: manifests that name blobs, which are GGUF files without that ending.
// Layout: manifests/HOST/NAMESPACE/MODEL/TAG and blobs/sha256-HEX beside manifests.
#pragma once

#include <filesystem>
#include <optional>

#include "models/gguf_checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// What a manifest names; of a folder of tags `latest`, or the only one. Nothing where `path` is
// neither. kBadModel for a manifest that names no projector or a blob that is not there.
Result<std::optional<GgufPair>> find_ollama_model(const std::filesystem::path& path);

// Whether a file is a manifest. Never waits.
bool is_ollama_manifest(const std::filesystem::path& path);

// The projector that goes with a language model's blob, by the manifest that names both; empty
// where none does.
std::filesystem::path find_ollama_projector(const std::filesystem::path& blob);

}  // namespace ocellus::models
