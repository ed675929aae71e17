#include "models/gguf_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

#include "base/result.h"
#include "models/ollama_store.h"

namespace ocellus::models {
namespace {

using base::make_error;
namespace fs = std::filesystem;

constexpr std::string_view kMagic = "GGUF";
constexpr int kMaxParts = 99'999;

bool is_gguf(const fs::path& path) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return false;
  std::string magic(kMagic.size(), '\0');
  std::ifstream(path, std::ios::binary).read(magic.data(), std::ssize(magic));
  return magic == kMagic;
}

// A damaged file is taken for what its name says; whoever loads it names the damage.
bool is_tower(const fs::path& path) {
  const bool named = path.filename().string().find("mmproj") != std::string::npos;
  const auto file = base::MappedFile::open(path);
  if (!file) return named;
  const auto parsed = formats::GgufFile::parse(file->bytes(), path.string());
  if (!parsed) return named;
  return parsed->text_or("general.architecture", "").value_or("") == "clip";
}

// "NAME-00002-of-00003.gguf", as gguf-split writes it.
struct PartName {
  std::string stem;
  int number = 0, count = 0;

  fs::path path(const fs::path& folder, int part) const {
    return folder / fmt::format("{}-{:05}-of-{:05}.gguf", stem, part, count);
  }
};

std::optional<PartName> parse_part_name(const fs::path& path) {
  constexpr std::size_t kDigits = 5;
  constexpr std::string_view kOf = "-of-", kEnd = ".gguf";
  constexpr std::size_t kLength = 1 + kDigits + kOf.size() + kDigits + kEnd.size();
  const std::string name = path.filename().string();
  if (name.size() <= kLength || !name.ends_with(kEnd)) return std::nullopt;
  const std::string_view tail = std::string_view(name).substr(name.size() - kLength);
  if (tail[0] != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf) return std::nullopt;
  PartName part{.stem = name.substr(0, name.size() - kLength)};
  const auto number = [](std::string_view digits, int& value) {
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return ec == std::errc() && end == digits.data() + digits.size() && value > 0;
  };
  if (!number(tail.substr(1, kDigits), part.number) ||
      !number(tail.substr(1 + kDigits + kOf.size(), kDigits), part.count) ||
      part.number > part.count || part.count > kMaxParts) {
    return std::nullopt;
  }
  return part;
}

Result<std::vector<fs::path>> parts_of(const fs::path& path) {
  const auto name = parse_part_name(path);
  if (!name) return std::vector{path};
  std::vector<fs::path> parts;
  std::error_code ec;
  for (int part = 1; part <= name->count; ++part) {
    parts.push_back(name->path(path.parent_path(), part));
    if (fs::exists(parts.back(), ec)) continue;
    return make_error(ErrorCode::kModelNotFound,
                      "{}: part {} of {} is missing beside it, expected {}", path.string(), part,
                      name->count, parts.back().filename().string());
  }
  return parts;
}

// Its language models (of a split one its first part, or what there is) and towers.
struct Folder {
  std::vector<fs::path> languages, towers;
};

Folder list_folder(const fs::path& folder) {
  Folder found;
  std::vector<std::string> stems;  // of the parts that are listed already
  std::error_code ec;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder, ec))
    if (is_gguf(entry.path())) paths.push_back(entry.path());
  std::ranges::sort(paths);
  for (const fs::path& path : paths) {
    if (const auto part = parse_part_name(path)) {
      if (std::ranges::find(stems, part->stem) != stems.end()) continue;
      stems.push_back(part->stem);
    }
    (is_tower(path) ? found.towers : found.languages).push_back(path);
  }
  return found;
}

// The tower that goes without saying: the neighbour that is called as our own and others' tools
// call it, the one of Ollama's manifest, the only one there is.
Result<fs::path> tower_beside(const fs::path& language) {
  std::error_code ec;
  const fs::path folder = language.parent_path();
  for (const fs::path& name :
       {folder / ("mmproj-" + language.filename().string()), folder / "mmproj.gguf"}) {
    if (fs::exists(name, ec)) return name;
  }
  if (fs::path projector = find_ollama_projector(language); !projector.empty()) return projector;
  // Not among blobs, whose neighbours have nothing to do with each other.
  const bool blob = language.filename().string().starts_with("sha256-");
  std::vector<fs::path> towers;
  if (!blob) towers = list_folder(folder.empty() ? fs::path(".") : folder).towers;
  if (towers.size() == 1) return towers.front();
  return make_error(ErrorCode::kModelNotFound,
                    "{}: is a language model alone{}: give its tower with --mmproj",
                    language.string(),
                    towers.empty() ? "" : fmt::format(" with {} towers beside it", towers.size()));
}

}  // namespace

Result<std::optional<GgufPair>> find_gguf_pair(const fs::path& path, const fs::path& mmproj) {
  std::error_code ec;
  GgufPair pair{.language = {}, .tower = mmproj};
  if (is_gguf(path)) {
    if (is_tower(path)) {
      return make_error(ErrorCode::kBadModel,
                        "{}: is a tower (general.architecture clip): give the language model with "
                        "--model, and this file with --mmproj",
                        path.string());
    }
    OCELLUS_ASSIGN_OR_RETURN(pair.language, parts_of(path));
    if (mmproj.empty()) {
      OCELLUS_ASSIGN_OR_RETURN(pair.tower, tower_beside(pair.language.front()));
    }
    return pair;
  }
  const bool folder = fs::is_directory(path, ec);
  if (!folder || !fs::exists(path / "config.json", ec)) {
    OCELLUS_ASSIGN_OR_RETURN(auto stored, find_ollama_model(path));
    if (stored && !mmproj.empty()) stored->tower = mmproj;
    if (stored) return stored;
  }
  if (!folder || fs::exists(path / "config.json", ec)) {
    if (mmproj.empty()) return std::nullopt;
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: expected a GGUF language model beside --mmproj, found {}", path.string(),
                      folder ? "a checkpoint's folder, which holds its tower" : "another file");
  }
  Folder found = list_folder(path);
  if (!mmproj.empty()) found.towers = {mmproj};
  if (found.languages.empty() && found.towers.empty()) return std::nullopt;
  if (found.languages.size() != 1 || found.towers.size() != 1) {
    return make_error(found.languages.empty() || found.towers.empty() ? ErrorCode::kModelNotFound
                                                                      : ErrorCode::kInvalidArgument,
                      "{}: expected one language model and one tower in GGUF, found {} and {}",
                      path.string(), found.languages.size(), found.towers.size());
  }
  OCELLUS_ASSIGN_OR_RETURN(pair.language, parts_of(found.languages.front()));
  pair.tower = found.towers.front();
  return pair;
}

}  // namespace ocellus::models
