#include "models/gguf_checkpoint.h"

#include <algorithm>

#include "base/result.h"
#include "formats/gguf_vocabulary.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::GgufFile;
namespace fs = std::filesystem;

bool has_gguf_name(const fs::path& path) { return path.extension() == ".gguf"; }

Result<GgufFile> map_gguf(Checkpoint& c, const fs::path& path) {
  OCELLUS_ASSIGN_OR_RETURN(base::MappedFile file, base::MappedFile::open(path));
  OCELLUS_ASSIGN_OR_RETURN(GgufFile parsed, GgufFile::parse(file.bytes(), path.string()));
  c.files.push_back(std::move(file));
  return parsed;
}

StoredTensors list_tensors(const GgufFile& file, std::size_t number) {
  StoredTensors tensors;
  for (const auto& [name, tensor] : file.tensors()) {
    const auto view = tensor.view(name);
    tensors.emplace(name, StoredTensor{.name = name,
                                       .type = tensor.type,
                                       .dtype = view ? std::optional(view->dtype) : std::nullopt,
                                       .shape = tensor.shape,
                                       .data = tensor.data,
                                       .file = number});
  }
  return tensors;
}

}  // namespace

Result<std::optional<GgufPair>> find_gguf_pair(const fs::path& path, const fs::path& mmproj) {
  std::error_code ec;
  if (has_gguf_name(path) && !fs::is_directory(path, ec)) {
    if (!mmproj.empty()) return GgufPair{path, mmproj};
    // The neighbour that is called as our own and others' tools call it.
    for (const fs::path& name : {path.parent_path() / ("mmproj-" + path.filename().string()),
                                 path.parent_path() / "mmproj.gguf"}) {
      if (fs::exists(name, ec)) return GgufPair{path, name};
    }
    return make_error(ErrorCode::kNotFound,
                      "{}: a language model alone: give its tower with --mmproj", path.string());
  }
  if (!fs::is_directory(path, ec) || fs::exists(path / "config.json", ec)) {
    if (mmproj.empty()) return std::nullopt;
    return make_error(ErrorCode::kInvalidArgument, "{}: --mmproj goes with a .gguf language model",
                      path.string());
  }
  std::vector<fs::path> languages, towers;
  for (const auto& entry : fs::directory_iterator(path, ec)) {
    if (!has_gguf_name(entry.path())) continue;
    const bool tower = entry.path().filename().string().find("mmproj") != std::string::npos;
    (tower ? towers : languages).push_back(entry.path());
  }
  if (!mmproj.empty()) towers = {mmproj};
  if (languages.empty() && towers.empty()) return std::nullopt;
  if (languages.size() == 1 && towers.size() == 1) return GgufPair{languages[0], towers[0]};
  return make_error(
      languages.empty() || towers.empty() ? ErrorCode::kNotFound : ErrorCode::kInvalidArgument,
      "{}: expected one language model and one mmproj file, found {} and {} .gguf files",
      path.string(), languages.size(), towers.size());
}

Result<Checkpoint> load_gguf_checkpoint(const GgufPair& pair) {
  Checkpoint c;
  c.path = pair.language;
  OCELLUS_ASSIGN_OR_RETURN(GgufFile language, map_gguf(c, pair.language));
  OCELLUS_ASSIGN_OR_RETURN(GgufFile tower, map_gguf(c, pair.tower));
  c.tensors = list_tensors(language, 0);
  c.tower_tensors = list_tensors(tower, 1);
  c.gguf = Checkpoint::GgufPair{std::move(language), std::move(tower)};
  OCELLUS_RETURN_IF_ERROR(read_gguf_texts(c));
  return c;
}

Status read_gguf_texts(Checkpoint& c) {
  const formats::GgufMetadata& language = c.gguf->language;
  OCELLUS_ASSIGN_OR_RETURN(const std::string architecture,
                           language.text_or("general.architecture", ""));
  if (architecture == "clip") {
    return make_error(ErrorCode::kBadModel,
                      "{}: general.architecture: expected a language model, found \"clip\": a "
                      "tower is given with --mmproj",
                      language.file());
  }
  OCELLUS_ASSIGN_OR_RETURN(c.vocabulary, formats::read_gguf_vocabulary(language));
  if (language.has("tokenizer.chat_template")) {
    OCELLUS_ASSIGN_OR_RETURN(c.chat_template, language.text("tokenizer.chat_template"));
  }
  return {};
}

}  // namespace ocellus::models
