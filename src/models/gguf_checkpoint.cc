#include "models/gguf_checkpoint.h"

#include <algorithm>

#include "base/result.h"
#include "formats/gguf_model.h"
#include "models/gguf_names.h"

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

StoredTensor stored(std::string_view name, const formats::GgufTensor& tensor, std::size_t file) {
  const auto view = tensor.view(name);
  return {.stored_name = std::string(name),
          .type = tensor.type,
          .dtype = view ? std::optional(view->dtype) : std::nullopt,
          .shape = tensor.shape,
          .data = tensor.data,
          .file = file};
}

void add_language_tensors(Checkpoint& c, const GgufFile& file, std::size_t number) {
  const formats::LanguageConfig& l = c.config.language;
  for (const auto& [name, tensor] : file.tensors()) {
    const auto canonical = canonical_language_name(name);
    if (!canonical) continue;
    StoredTensor each = stored(name, tensor, number);
    // The converter reorders architecture "llama" only, matrices and biases.
    if (l.kind == formats::LanguageKind::kLlama) {
      if (name.find(".attn_q.") != std::string::npos) each.rope_permuted_heads = l.heads;
      if (name.find(".attn_k.") != std::string::npos) each.rope_permuted_heads = l.kv_heads;
    }
    c.tensors.emplace(*canonical, std::move(each));
  }
}

void add_tower_tensors(Checkpoint& c, const GgufFile& file, std::size_t number) {
  const formats::TowerConfig& t = c.config.tower;
  const auto up = file.tensors().find("v.blk.0.ffn_up.weight");
  const bool swapped = up != file.tensors().end() && t.hidden_size != t.intermediate_size &&
                       up->second.shape == tensor::Shape{t.hidden_size, t.intermediate_size};
  for (const auto& [name, tensor] : file.tensors()) {
    if (const auto canonical = canonical_tower_name(name, swapped))
      c.tensors.emplace(*canonical, stored(name, tensor, number));
  }
}

Status check_pair(const Checkpoint& c, const GgufPair& pair) {
  const auto found = c.tensors.find("projector.linear_2.weight");
  if (found == c.tensors.end()) {
    return make_error(ErrorCode::kBadModel,
                      "{}: mm.2.weight, the projector's second layer, is missing",
                      pair.tower.string());
  }
  const tensor::Shape& shape = found->second.shape;
  if (shape.rank() != 2 || shape[0] != c.config.language.hidden_size) {
    return make_error(ErrorCode::kBadModel,
                      "{} and {} are no pair: the projector gives {}, the language model takes {} "
                      "values",
                      pair.tower.string(), pair.language.string(), shape.to_string(),
                      c.config.language.hidden_size);
  }
  return {};
}

// The id under which the picture stands in a prompt: the one that the file names, the vocabulary's
// "<image>", else one of our own behind its last.
Result<std::int64_t> image_token(const Checkpoint& c, const GgufFile& file) {
  const auto& tokens = c.vocabulary->tokens;
  if (file.has(formats::kGgufImageTokenKey)) {
    return file.integer(formats::kGgufImageTokenKey, 0,
                        static_cast<std::int64_t>(tokens.size()) - 1);
  }
  const auto named = std::ranges::find(tokens, "<image>");
  if (named != tokens.end()) return named - tokens.begin();
  return std::max<std::int64_t>(c.config.language.vocab_size,
                                static_cast<std::int64_t>(tokens.size()));
}

Status read_gguf_texts(Checkpoint& c, const GgufFile& language) {
  OCELLUS_ASSIGN_OR_RETURN(c.vocabulary, formats::read_gguf_vocabulary(language));
  OCELLUS_ASSIGN_OR_RETURN(c.config.image_token, image_token(c, language));
  if (language.has("tokenizer.chat_template")) {
    OCELLUS_ASSIGN_OR_RETURN(c.chat_template, language.text("tokenizer.chat_template"));
  }
  return {};
}

Status read_gguf_configs(Checkpoint& c, const GgufFile& language, const GgufFile& tower) {
  c.config.model_type = "llava";
  OCELLUS_RETURN_IF_ERROR(formats::read_gguf_language(language, c.config));
  return formats::read_gguf_tower(tower, c.config, c.image_processor);
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
                      "{}: a language model only; give its tower with --mmproj", path.string());
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
  c.folder = pair.language;
  OCELLUS_ASSIGN_OR_RETURN(const GgufFile language, map_gguf(c, pair.language));
  OCELLUS_ASSIGN_OR_RETURN(const GgufFile tower, map_gguf(c, pair.tower));
  OCELLUS_RETURN_IF_ERROR(read_gguf_configs(c, language, tower));
  add_language_tensors(c, language, 0);
  add_tower_tensors(c, tower, 1);
  OCELLUS_RETURN_IF_ERROR(check_pair(c, pair));
  OCELLUS_RETURN_IF_ERROR(read_gguf_texts(c, language));
  return c;
}

Status read_gguf_settings(Checkpoint& c, const GgufFile& language, const GgufFile& tower) {
  OCELLUS_RETURN_IF_ERROR(read_gguf_configs(c, language, tower));
  return read_gguf_texts(c, language);
}

}  // namespace ocellus::models
