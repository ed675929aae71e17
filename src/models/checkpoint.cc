#include "models/checkpoint.h"

#include "base/result.h"
#include "formats/safetensors.h"
#include "models/gguf_checkpoint.h"
#include "models/weight_names.h"

namespace ocellus::models {
namespace {

using base::make_error;

constexpr std::size_t kMaxConfigBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxTokenizerBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;

// The file's text; empty when there is no such file.
Result<std::string> read_optional(const std::filesystem::path& path, std::size_t max_bytes) {
  auto text = base::read_file(path, max_bytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::string();
  if (!text) return make_error(ErrorCode::kBadModel, "{}", text.error().message);
  return text;
}

Status read_settings(Checkpoint& c) {
  const auto config_path = c.folder / "config.json";
  OCELLUS_ASSIGN_OR_RETURN(const std::string config, read_optional(config_path, kMaxConfigBytes));
  if (config.empty()) {
    return make_error(ErrorCode::kNotFound, "{}: no config.json: not a model folder",
                      c.folder.string());
  }
  OCELLUS_ASSIGN_OR_RETURN(c.config, formats::parse_model_config(config, config_path.string()));

  const auto generation_path = c.folder / "generation_config.json";
  OCELLUS_ASSIGN_OR_RETURN(const std::string generation,
                           read_optional(generation_path, kMaxConfigBytes));
  if (!generation.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(
        c.generation, formats::parse_generation_config(generation, generation_path.string()));
  }
  return {};
}

// 5.x keeps the picture's settings in processor_config.json, 4.x in a file of their own.
Status read_image_processor(Checkpoint& c) {
  const auto processor_path = c.folder / "processor_config.json";
  OCELLUS_ASSIGN_OR_RETURN(std::string text, read_optional(processor_path, kMaxConfigBytes));
  if (text.find("\"image_processor\"") != std::string::npos) {
    OCELLUS_ASSIGN_OR_RETURN(c.image_processor,
                             formats::parse_image_processor(text, processor_path.string()));
    return {};
  }
  const auto path = c.folder / "preprocessor_config.json";
  OCELLUS_ASSIGN_OR_RETURN(text, read_optional(path, kMaxConfigBytes));
  if (!text.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(c.image_processor,
                             formats::parse_image_processor(text, path.string()));
    return {};
  }
  // No file at all: what the tower takes, the family's way.
  c.image_processor.resize_shortest_edge = c.config.tower.image_size;
  c.image_processor.crop_height = c.image_processor.crop_width = c.config.tower.image_size;
  return {};
}

Status read_texts(Checkpoint& c) {
  const auto read = [&](const char* name, std::size_t max) {
    return read_optional(c.folder / name, max);
  };
  OCELLUS_ASSIGN_OR_RETURN(c.tokenizer_json, read("tokenizer.json", kMaxTokenizerBytes));
  OCELLUS_ASSIGN_OR_RETURN(c.tokenizer_model, read("tokenizer.model", kMaxTokenizerBytes));
  OCELLUS_ASSIGN_OR_RETURN(c.tokenizer_config, read("tokenizer_config.json", kMaxTokenizerBytes));
  OCELLUS_ASSIGN_OR_RETURN(c.added_tokens, read("added_tokens.json", kMaxTokenizerBytes));
  if (c.tokenizer_json.empty() && c.tokenizer_model.empty()) {
    return make_error(ErrorCode::kNotFound, "{}: neither tokenizer.json nor tokenizer.model",
                      c.folder.string());
  }
  // The newest spelling wins, as in transformers.
  OCELLUS_ASSIGN_OR_RETURN(const std::string jinja, read("chat_template.jinja", kMaxConfigBytes));
  if (!jinja.empty()) {
    c.chat_template = jinja;
    return {};
  }
  for (const char* name : {"chat_template.json", "processor_config.json"}) {
    OCELLUS_ASSIGN_OR_RETURN(const std::string text, read(name, kMaxConfigBytes));
    if (text.empty()) continue;
    OCELLUS_ASSIGN_OR_RETURN(c.chat_template,
                             formats::parse_chat_template(text, (c.folder / name).string()));
    if (c.chat_template) return {};
  }
  if (!c.tokenizer_config.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(
        c.chat_template, formats::parse_chat_template(
                             c.tokenizer_config, (c.folder / "tokenizer_config.json").string()));
  }
  return {};
}

// The tensors of one mapped file, by their stored names.
using Shard = formats::SafetensorsDirectory;

Result<Shard> map_shard(Checkpoint& c, const std::string& name) {
  const auto path = c.folder / name;
  auto file = base::MappedFile::open(path);
  if (!file) {
    const ErrorCode code =
        file.error().code == ErrorCode::kIo ? ErrorCode::kIo : ErrorCode::kBadModel;
    return make_error(code, "{}", file.error().message);
  }
  OCELLUS_ASSIGN_OR_RETURN(Shard shard, formats::parse_safetensors(file->bytes(), path.string()));
  c.files.push_back(*std::move(file));
  return shard;
}

Result<std::vector<Shard>> map_weights(Checkpoint& c) {
  const auto index_path = c.folder / "model.safetensors.index.json";
  std::vector<Shard> shards;
  std::error_code ec;
  if (std::filesystem::exists(c.folder / "model.safetensors", ec)) {
    OCELLUS_ASSIGN_OR_RETURN(Shard only, map_shard(c, "model.safetensors"));
    shards.push_back(std::move(only));
    return shards;
  }
  OCELLUS_ASSIGN_OR_RETURN(const std::string text, read_optional(index_path, kMaxIndexBytes));
  if (text.empty()) {
    return make_error(ErrorCode::kNotFound,
                      "{}: neither model.safetensors nor model.safetensors.index.json",
                      c.folder.string());
  }
  OCELLUS_ASSIGN_OR_RETURN(const auto index,
                           formats::parse_safetensors_index(text, index_path.string()));
  std::map<std::string, std::size_t> shard_numbers;
  for (const auto& [tensor, file] : index) {
    if (!shard_numbers.contains(file)) {
      shard_numbers.emplace(file, shards.size());
      OCELLUS_ASSIGN_OR_RETURN(Shard shard, map_shard(c, file));
      shards.push_back(std::move(shard));
    }
    if (!shards[shard_numbers.at(file)].contains(tensor)) {
      return make_error(ErrorCode::kBadModel, "{}: tensor {} is not in {}", index_path.string(),
                        tensor, file);
    }
  }
  // Where a shard has a tensor, the index must say so, and no other shard may have it too.
  for (const auto& [file, number] : shard_numbers) {
    for (const auto& [name, entry] : shards[number]) {
      const auto listed = index.find(name);
      if (listed == index.end() || listed->second != file) {
        return make_error(ErrorCode::kBadModel, "{}: tensor {} of {} is {}", index_path.string(),
                          name, file,
                          listed == index.end() ? "not listed" : "also in " + listed->second);
      }
    }
  }
  return shards;
}

Status index_tensors(Checkpoint& c, const std::vector<Shard>& shards) {
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    for (const auto& [name, entry] : shards[shard]) {
      const auto canonical = canonical_weight_name(name);
      if (!canonical) continue;
      const auto view = entry.view(name);
      StoredTensor stored{.stored_name = name,
                          .type = entry.dtype,
                          .dtype = view ? std::optional(view->dtype) : std::nullopt,
                          .shape = entry.shape,
                          .data = entry.data,
                          .file = shard};
      const auto [place, added] = c.tensors.emplace(*canonical, std::move(stored));
      if (!added) {
        return make_error(ErrorCode::kBadModel, "{}: {} and {} are two spellings of one tensor",
                          c.files[shard].path().string(), place->second.stored_name, name);
      }
    }
  }
  return {};
}

}  // namespace

Result<tensor::TensorView> Checkpoint::tensor(std::string_view canonical,
                                              const tensor::Shape& shape) const {
  const auto found = tensors.find(canonical);
  if (found == tensors.end()) {
    return make_error(ErrorCode::kBadModel, "{}: tensor {} is missing", folder.string(), canonical);
  }
  const StoredTensor& stored = found->second;
  // Tensors made in memory come from no file.
  const std::string file =
      stored.file < files.size() ? files[stored.file].path().string() : folder.string();
  if (!(stored.shape == shape)) {
    return make_error(ErrorCode::kBadModel, "{}: tensor {}: expected shape {}, found {}", file,
                      stored.stored_name, shape.to_string(), stored.shape.to_string());
  }
  if (!stored.dtype) {
    return make_error(ErrorCode::kUnsupported, "{}: tensor {}: type {} cannot be computed with",
                      file, stored.stored_name, stored.type);
  }
  return tensor::TensorView{*stored.dtype, stored.shape, stored.data};
}

Status Checkpoint::unchanged() const {
  for (const base::MappedFile& file : files) {
    if (file.changed()) {
      return make_error(ErrorCode::kBadModel, "{}: changed while it was being loaded",
                        file.path().string());
    }
  }
  return {};
}

Result<Checkpoint> load_checkpoint(const std::filesystem::path& path,
                                   const std::filesystem::path& mmproj) {
  OCELLUS_ASSIGN_OR_RETURN(const std::optional<GgufPair> pair, find_gguf_pair(path, mmproj));
  if (pair) return load_gguf_checkpoint(*pair);
  std::error_code ec;
  if (!std::filesystem::is_directory(path, ec)) {
    return make_error(ErrorCode::kNotFound, "{}: expected a model folder or a .gguf file, found {}",
                      path.string(),
                      std::filesystem::exists(path, ec) ? "another file" : "nothing");
  }
  Checkpoint c;
  c.folder = path;
  OCELLUS_RETURN_IF_ERROR(read_settings(c));
  OCELLUS_RETURN_IF_ERROR(read_image_processor(c));
  OCELLUS_RETURN_IF_ERROR(read_texts(c));
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<Shard> shards, map_weights(c));
  OCELLUS_RETURN_IF_ERROR(index_tensors(c, shards));
  return c;
}

}  // namespace ocellus::models
