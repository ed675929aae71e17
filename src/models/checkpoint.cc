#include "models/checkpoint.h"

#include "base/result.h"
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

Status map_shard(Checkpoint& c, const std::string& name) {
  const auto path = c.folder / name;
  auto file = base::MappedFile::open(path);
  if (!file) {
    const ErrorCode code =
        file.error().code == ErrorCode::kIo ? ErrorCode::kIo : ErrorCode::kBadModel;
    return make_error(code, "{}", file.error().message);
  }
  Shard shard{.file = *std::move(file), .tensors = {}};
  OCELLUS_ASSIGN_OR_RETURN(shard.tensors,
                           formats::parse_safetensors(shard.file.bytes(), path.string()));
  c.shards.push_back(std::move(shard));
  return {};
}

Status map_weights(Checkpoint& c) {
  const auto index_path = c.folder / "model.safetensors.index.json";
  std::error_code ec;
  if (std::filesystem::exists(c.folder / "model.safetensors", ec))
    return map_shard(c, "model.safetensors");
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
      shard_numbers.emplace(file, c.shards.size());
      OCELLUS_RETURN_IF_ERROR(map_shard(c, file));
    }
    if (!c.shards[shard_numbers.at(file)].tensors.contains(tensor)) {
      return make_error(ErrorCode::kBadModel, "{}: tensor {} is not in {}", index_path.string(),
                        tensor, file);
    }
  }
  // Where a shard has a tensor, the index must say so, and no other shard may have it too.
  for (const auto& [file, number] : shard_numbers) {
    for (const auto& [name, entry] : c.shards[number].tensors) {
      const auto listed = index.find(name);
      if (listed == index.end() || listed->second != file) {
        return make_error(ErrorCode::kBadModel, "{}: tensor {} of {} is {}", index_path.string(),
                          name, file,
                          listed == index.end() ? "not listed" : "also in " + listed->second);
      }
    }
  }
  return {};
}

Status index_tensors(Checkpoint& c) {
  for (std::size_t shard = 0; shard < c.shards.size(); ++shard) {
    for (const auto& [name, entry] : c.shards[shard].tensors) {
      const auto canonical = canonical_weight_name(name);
      if (!canonical) continue;
      const auto [place, added] = c.tensors.emplace(*canonical, StoredTensor{name, &entry, shard});
      if (!added) {
        return make_error(ErrorCode::kBadModel, "{}: {} and {} are two spellings of one tensor",
                          c.shards[shard].file.path().string(), place->second.stored_name, name);
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
  const std::string file = shards[stored.shard].file.path().string();
  if (!(stored.entry->shape == shape)) {
    return make_error(ErrorCode::kBadModel, "{}: tensor {}: expected shape {}, found {}", file,
                      stored.stored_name, shape.to_string(), stored.entry->shape.to_string());
  }
  auto view = stored.entry->view(stored.stored_name);
  if (!view) return base::with_context(std::move(view).error(), file);
  return view;
}

Status Checkpoint::unchanged() const {
  for (const Shard& shard : shards) {
    if (shard.file.changed()) {
      return make_error(ErrorCode::kBadModel, "{}: changed while it was being loaded",
                        shard.file.path().string());
    }
  }
  return {};
}

Result<Checkpoint> load_checkpoint(const std::filesystem::path& folder) {
  std::error_code ec;
  if (!std::filesystem::is_directory(folder, ec)) {
    return make_error(ErrorCode::kNotFound, "{}: expected a model folder, found {}",
                      folder.string(), std::filesystem::exists(folder, ec) ? "a file" : "nothing");
  }
  Checkpoint c;
  c.folder = folder;
  OCELLUS_RETURN_IF_ERROR(read_settings(c));
  OCELLUS_RETURN_IF_ERROR(read_image_processor(c));
  OCELLUS_RETURN_IF_ERROR(read_texts(c));
  OCELLUS_RETURN_IF_ERROR(map_weights(c));
  OCELLUS_RETURN_IF_ERROR(index_tensors(c));
  return c;
}

}  // namespace ocellus::models
