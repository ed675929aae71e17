// Checkpoints in the cache that huggingface_hub keeps on disk.
// Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::models {

// Whether it may be the name of a repository, "llava-hf/llava-1.5-7b-hf".
bool is_hub_id(std::string_view name);

// Whether a folder is a repository of the cache: models--ORG--NAME with refs and snapshots.
bool is_hub_repository(const std::filesystem::path& folder);

// The snapshot that refs/main names; without that file, the only one. kModelNotFound.
Result<std::filesystem::path> hub_snapshot(const std::filesystem::path& repository);

// The snapshot of a repository by its id, from HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME or
// ~/.cache. Never asks the network: kModelNotFound says where was looked and how to download it.
Result<std::filesystem::path> find_in_hub_cache(std::string_view id);

}  // namespace ocellus::models
