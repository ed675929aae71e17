#include "models/checkpoint.h"

#include <algorithm>

#include "base/result.h"
#include "formats/foreign_file.h"
#include "formats/safetensors.h"
#include "models/gguf_files.h"
#include "models/hub_cache.h"
#include "models/packed_checkpoint.h"
#include "models/quantized_elsewhere.h"
#include "models/small_files.h"

namespace ocellus::models {
namespace {

using base::make_error;

constexpr std::size_t kMaxIndexBytes = std::size_t{64} << 20;

// The tensors of one mapped file, by their stored names.
using Shard = formats::SafetensorsDirectory;

Result<Shard> map_shard(Checkpoint& c, const std::string& name) {
  const auto path = c.path / name;
  auto file = base::MappedFile::open(path);
  if (!file) {
    const ErrorCode code =
        file.error().code == ErrorCode::kIo ? ErrorCode::kIo : ErrorCode::kBadModel;
    return make_error(code, "{}", file.error().message);
  }
  if (const std::string foreign = formats::foreign_file(file->bytes()); !foreign.empty())
    return make_error(ErrorCode::kBadModel, "{}: expected safetensors, {}", path.string(), foreign);
  OCELLUS_ASSIGN_OR_RETURN(Shard shard, formats::parse_safetensors(file->bytes(), path.string()));
  c.files.push_back(*std::move(file));
  return shard;
}

// Of a folder without weights that we read: what it has instead, and what to do.
std::string other_weights(const std::filesystem::path& folder) {
  struct Other {
    std::string_view ending, advice;
  };
  constexpr Other kOthers[] = {
      {"adapter_model.safetensors",
       "found a LoRA adapter: merge it into its model (merge_and_unload) and save that"},
      {"consolidated.safetensors",
       "found Mistral's own layout: fetch the checkpoint in transformers' layout"},
      {".safetensors.index.json", "found an index by another name"},
      {".bin",
       "found PyTorch pickles (.bin), which can run code when they are read: convert them "
       "to safetensors (save_pretrained)"},
      {".pth", "found PyTorch pickles (.pth): convert them to safetensors (save_pretrained)"},
      {".onnx", "found ONNX graphs: fetch the checkpoint in safetensors or GGUF"},
      {".h5", "found TensorFlow weights: fetch the checkpoint in safetensors"},
      {".incomplete", "found a download that has not finished: start it again"},
      {".safetensors", "found parts without their index: fetch model.safetensors.index.json too"},
  };
  std::error_code ec;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ec))
    names.push_back(entry.path().filename().string());
  for (const Other& other : kOthers) {
    if (std::ranges::any_of(names, [&](const auto& name) { return name.ends_with(other.ending); }))
      return std::string(other.advice);
  }
  return "found neither";
}

Result<std::vector<Shard>> map_weights(Checkpoint& c) {
  const auto index_path = c.path / "model.safetensors.index.json";
  std::vector<Shard> shards;
  std::error_code ec;
  if (std::filesystem::exists(c.path / "model.safetensors", ec)) {
    OCELLUS_ASSIGN_OR_RETURN(Shard only, map_shard(c, "model.safetensors"));
    shards.push_back(std::move(only));
    return shards;
  }
  OCELLUS_ASSIGN_OR_RETURN(const std::string text, read_optional_file(index_path, kMaxIndexBytes));
  if (text.empty()) {
    return make_error(ErrorCode::kModelNotFound,
                      "{}: expected model.safetensors or model.safetensors.index.json, {}",
                      c.path.string(), other_weights(c.path));
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
      return make_error(ErrorCode::kBadModel, "{}: tensor {}: expected in {}, not found there",
                        index_path.string(), tensor, file);
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

// What training tools put before the names of all tensors: DistributedDataParallel, torch.compile,
// PEFT.
std::string_view unwrapped(std::string_view name) {
  constexpr std::string_view kWrappings[] = {"module.", "_orig_mod.", "base_model.model."};
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view wrapping : kWrappings) {
      if (!name.starts_with(wrapping)) continue;
      name.remove_prefix(wrapping.size());
      again = true;
    }
  }
  return name;
}

// No two shards have a tensor of one name: map_weights() saw to that.
Status list_tensors(Checkpoint& c, const std::vector<Shard>& shards) {
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    for (const auto& [name, entry] : shards[shard]) {
      const auto view = entry.view(name);
      const auto [place, added] = c.tensors.emplace(
          unwrapped(name), StoredTensor{.name = name,
                                        .type = entry.dtype,
                                        .dtype = view ? std::optional(view->dtype) : std::nullopt,
                                        .shape = entry.shape,
                                        .data = entry.data,
                                        .file = shard});
      if (!added) {
        return make_error(ErrorCode::kBadModel,
                          "{}: duplicate tensor: {} and {} are spellings of one", c.path.string(),
                          place->second.name, name);
      }
    }
  }
  return {};
}

}  // namespace

std::int64_t GgufSource::rows(std::string_view tensor) const {
  const auto found = tensors.find(tensor);
  return found == tensors.end() || found->second.shape.rank() == 0 ? 0 : found->second.shape[0];
}

std::string_view Checkpoint::text(std::string_view name) const {
  const auto found = texts.find(name);
  return found == texts.end() ? std::string_view() : std::string_view(found->second);
}

std::string Checkpoint::file_of(const StoredTensor& tensor) const {
  return tensor.file < files.size() ? files[tensor.file].path().string() : path.string();
}

Status Checkpoint::unchanged() const {
  const auto check = [](const base::MappedFile& file) -> Status {
    if (!file.changed()) return {};
    return make_error(ErrorCode::kBadModel, "{}: changed while it was being loaded",
                      file.path().string());
  };
  for (const base::MappedFile& file : files) OCELLUS_RETURN_IF_ERROR(check(file));
  return packed ? check(*packed->file) : Status();
}

Result<std::filesystem::path> find_model(const std::filesystem::path& path_or_id) {
  std::error_code ec;
  std::filesystem::path path = path_or_id;
  if (!std::filesystem::exists(path, ec) && !ec && is_hub_id(path.string())) {
    OCELLUS_ASSIGN_OR_RETURN(path, find_in_hub_cache(path.string()));
  } else if (std::filesystem::is_directory(path, ec) && is_hub_repository(path)) {
    OCELLUS_ASSIGN_OR_RETURN(path, hub_snapshot(path));
  }
  if (std::filesystem::exists(path, ec)) return path;
  return make_error(ErrorCode::kModelNotFound, "{}: expected a model, found nothing{}",
                    path_or_id.string(), ec ? ": " + ec.message() : "");
}

Result<Checkpoint> load_checkpoint(const std::filesystem::path& path_or_id,
                                   const std::filesystem::path& mmproj) {
  OCELLUS_ASSIGN_OR_RETURN(const std::filesystem::path path, find_model(path_or_id));
  if (is_packed_model(path)) {
    if (mmproj.empty()) return load_packed_checkpoint(path);
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: a packed model holds its tower: expected no --mmproj", path.string());
  }
  OCELLUS_ASSIGN_OR_RETURN(const std::optional<GgufPair> pair, find_gguf_pair(path, mmproj));
  if (pair) return load_gguf_checkpoint(*pair);
  std::error_code ec;
  if (!std::filesystem::is_directory(path, ec)) {
    const std::string foreign = formats::foreign_file(path);
    return make_error(
        ErrorCode::kBadModel, "{}: expected a model folder, GGUF or a packed model, {}",
        path.string(),
        !foreign.empty() ? foreign
        : path.extension() == ".safetensors"
            ? "found weights alone: give the folder, with config.json and the tokenizer's files"
            : "found another file");
  }
  Checkpoint c;
  c.path = path;
  OCELLUS_RETURN_IF_ERROR(read_small_files(c, [&](std::string_view name, std::size_t max_bytes) {
    return read_optional_file(path / name, max_bytes);
  }));
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<Shard> shards, map_weights(c));
  OCELLUS_RETURN_IF_ERROR(list_tensors(c, shards));
  OCELLUS_RETURN_IF_ERROR(refuse_quantized_elsewhere(c));
  return c;
}

}  // namespace ocellus::models
