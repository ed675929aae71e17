#include "models/checkpoint.h"

#include "base/result.h"
#include "formats/safetensors.h"
#include "models/gguf_checkpoint.h"
#include "models/packed_checkpoint.h"
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
  OCELLUS_ASSIGN_OR_RETURN(Shard shard, formats::parse_safetensors(file->bytes(), path.string()));
  c.files.push_back(*std::move(file));
  return shard;
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
    return make_error(
        ErrorCode::kNotFound,
        "{}: expected model.safetensors or model.safetensors.index.json, found neither",
        c.path.string());
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

// No two shards have a tensor of one name: map_weights() saw to that.
void list_tensors(Checkpoint& c, const std::vector<Shard>& shards) {
  for (std::size_t shard = 0; shard < shards.size(); ++shard) {
    for (const auto& [name, entry] : shards[shard]) {
      const auto view = entry.view(name);
      c.tensors.emplace(name,
                        StoredTensor{.name = name,
                                     .type = entry.dtype,
                                     .dtype = view ? std::optional(view->dtype) : std::nullopt,
                                     .shape = entry.shape,
                                     .data = entry.data,
                                     .file = shard});
    }
  }
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

Result<Checkpoint> load_checkpoint(const std::filesystem::path& path,
                                   const std::filesystem::path& mmproj) {
  if (is_packed_model(path)) {
    if (mmproj.empty()) return load_packed_checkpoint(path);
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: a packed model holds its tower: expected no --mmproj", path.string());
  }
  OCELLUS_ASSIGN_OR_RETURN(const std::optional<GgufPair> pair, find_gguf_pair(path, mmproj));
  if (pair) return load_gguf_checkpoint(*pair);
  std::error_code ec;
  if (!std::filesystem::is_directory(path, ec)) {
    return make_error(ErrorCode::kNotFound,
                      "{}: expected a model folder, a .gguf file or a packed model, found {}",
                      path.string(),
                      std::filesystem::exists(path, ec) ? "another file" : "nothing");
  }
  Checkpoint c;
  c.path = path;
  OCELLUS_RETURN_IF_ERROR(read_small_files(c, [&](std::string_view name, std::size_t max_bytes) {
    return read_optional_file(path / name, max_bytes);
  }));
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<Shard> shards, map_weights(c));
  list_tensors(c, shards);
  return c;
}

}  // namespace ocellus::models
