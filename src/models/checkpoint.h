// A model on disk: its small files, its metadata and its tensors, mapped and not yet copied. What
// they mean is a family's to say (families.h).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "compute/backend.h"
#include "formats/generation_config.h"
#include "formats/gguf.h"
#include "formats/gguf_vocabulary.h"
#include "ocellus/error.h"

namespace ocellus::models {

// One tensor as the file has it.
struct StoredTensor {
  std::string name;                    // as the file spells it
  std::string type;                    // likewise
  std::optional<tensor::DType> dtype;  // nothing: a type that cannot be computed with
  tensor::Shape shape;
  std::span<const std::byte> data;
  std::size_t file = 0;  // into Checkpoint::files
  // A matrix of a packed model: `data` is the backend's own layout, and this is what it holds.
  std::optional<compute::PackedWeightView> packed = {};
};
// By name, without the wrappings of training tools ("module.").
using StoredTensors = std::map<std::string, StoredTensor, std::less<>>;

// How attention is computed in the two parts of a model (WeightChoice::arithmetic).
struct PartArithmetic {
  compute::Arithmetic language = compute::Arithmetic::kF32;
  compute::Arithmetic tower = compute::Arithmetic::kF32;
};

// What is different about a model that was packed.
struct PackedOrigin {
  std::shared_ptr<const base::MappedFile> file;  // weights point into it and keep it mapped
  std::string layout;                            // Backend::weight_layout() of its matrices
  PartArithmetic arithmetic;
};

// One file of a GGUF pair: what its keys say, and which tensors it has, for some settings have no
// key.
struct GgufSource {
  const formats::GgufMetadata& metadata;
  const StoredTensors& tensors;

  bool has(std::string_view tensor) const { return tensors.contains(tensor); }
  // The outermost dimension; 0 where there is no such tensor.
  std::int64_t rows(std::string_view tensor) const;
};

// Movable; read-only after loading, so any thread may read it while it lives. Views into it live as
// long as it does.
struct Checkpoint {
  // The metadata of a GGUF pair.
  struct GgufPair {
    formats::GgufMetadata language, tower;
  };

  std::filesystem::path path;  // a folder, the language model's .gguf file, or a packed model
  // The small files of a Hugging Face folder, by their names: config.json, tokenizer.json ...
  std::map<std::string, std::string, std::less<>> texts;
  std::optional<GgufPair> gguf;  // instead of texts
  formats::GenerationConfig generation;
  std::optional<std::string> chat_template;
  std::optional<formats::GgufVocabulary> vocabulary;  // of a GGUF pair
  std::vector<base::MappedFile> files;  // of a GGUF pair: the language model's parts, the tower
  StoredTensors tensors;                // of all files, but a GGUF pair's tower
  StoredTensors tower_tensors;          // of that
  std::optional<PackedOrigin> packed;

  // Empty where there is no such file.
  std::string_view text(std::string_view name) const;
  // Of a GGUF pair, packed or not.
  GgufSource gguf_language() const { return {gguf->language, tensors}; }
  GgufSource gguf_tower() const { return {gguf->tower, packed ? tensors : tower_tensors}; }
  // The file that a tensor is in; tensors made in memory are in none.
  std::string file_of(const StoredTensor& tensor) const;
  // kBadModel when a file was altered since it was mapped: asked after everything has been read.
  Status unchanged() const;
};

// Where a model is: a path that exists, with the commit's folder for a repository of the Hugging
// Face cache, or one in that cache by its id (hub_cache.h). kModelNotFound. Blocks
// on the disk; any thread.
Result<std::filesystem::path> find_model(const std::filesystem::path& path_or_id);

// What find_model() finds: a Hugging Face folder (its small files read, its weights mapped), a GGUF
// language model with its tower in `mmproj` and whatever else gguf_files.h knows, or a packed model
// (packed_checkpoint.h). kModelNotFound when there is no model; kBadModel, kUnsupported, kIo naming
// the file. Blocks on the disk; any thread.
Result<Checkpoint> load_checkpoint(const std::filesystem::path& path,
                                   const std::filesystem::path& mmproj = {});

}  // namespace ocellus::models
