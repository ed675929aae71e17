#include "models/hub_cache.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/read_file.h"
#include "base/result.h"

namespace ocellus::models {
namespace {

namespace fs = std::filesystem;
using base::make_error;

constexpr std::size_t kMaxRefBytes = 4096;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// As huggingface_hub decides. Empty where there is no home.
fs::path cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
    if (const std::string folder = variable(name); !folder.empty()) return folder;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return fs::path(cache) / "huggingface" / "hub";
  const std::string home = variable("HOME");
  return home.empty() ? fs::path() : fs::path(home) / ".cache" / "huggingface" / "hub";
}

bool is_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= 96 && text.front() != '.' && text.front() != '-' &&
         text.back() != '.' && std::ranges::all_of(text, allowed);
}

}  // namespace

bool is_hub_id(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash != std::string_view::npos && is_name(name.substr(0, slash)) &&
         is_name(name.substr(slash + 1));
}

bool is_hub_repository(const fs::path& folder) {
  std::error_code ec;
  return fs::is_directory(folder / "snapshots", ec) && !fs::exists(folder / "config.json", ec);
}

Result<fs::path> hub_snapshot(const fs::path& repository) {
  const fs::path snapshots = repository / "snapshots";
  std::error_code ec;
  if (const auto ref = base::read_file(repository / "refs" / "main", kMaxRefBytes)) {
    const std::size_t end = ref->find_last_not_of(" \r\n");
    const std::string commit = end == std::string::npos ? "" : ref->substr(0, end + 1);
    if (is_name(commit) && fs::is_directory(snapshots / commit, ec)) return snapshots / commit;
    return make_error(ErrorCode::kModelNotFound,
                      "{}: refs/main: expected a folder of snapshots/, found \"{}\": its download "
                      "has not finished",
                      repository.string(), commit.substr(0, 80));
  }
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(snapshots, ec))
    if (entry.is_directory(ec)) found.push_back(entry.path());
  if (found.size() == 1) return found.front();
  return make_error(ErrorCode::kModelNotFound,
                    "{}: expected refs/main or one folder in snapshots/, found {}",
                    repository.string(), found.size());
}

Result<fs::path> find_in_hub_cache(std::string_view id) {
  const fs::path cache = cache_folder();
  std::string folder = "models--" + std::string(id);
  folder.replace(folder.find('/'), 1, "--");
  std::error_code ec;
  if (!cache.empty() && is_hub_repository(cache / folder)) return hub_snapshot(cache / folder);
  return make_error(ErrorCode::kModelNotFound,
                    "{}: neither a path nor in the Hugging Face cache (looked in {}): download it "
                    "with `huggingface-cli download {}`",
                    id, cache.empty() ? "no folder: HOME is not set" : cache.string(), id);
}

}  // namespace ocellus::models
