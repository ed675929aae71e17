// A model on disk: its settings, its texts and its tensors, mapped and not yet copied.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "compute/backend.h"
#include "formats/gguf_model.h"
#include "formats/hf_config.h"
#include "formats/model_config.h"
#include "ocellus/error.h"

namespace ocellus::models {

// One tensor as the file has it.
struct StoredTensor {
  std::string stored_name;
  std::string type;                    // as the file spells it
  std::optional<tensor::DType> dtype;  // nothing: a type that cannot be computed with
  tensor::Shape shape;
  std::span<const std::byte> data;
  std::size_t file = 0;  // into Checkpoint::files
  // Not 0: rows come as GGUF orders queries and keys of Llama, in pairs for rotation, this many
  // heads.
  std::int64_t rope_permuted_heads = 0;
  // A matrix of a packed model: `data` is the backend's own layout, and this is what it holds.
  std::optional<compute::PackedWeightView> image = {};
};

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

// Movable; read-only after loading, so any thread may read it while it lives. Views into it live as
// long as it does.
struct Checkpoint {
  std::filesystem::path folder;  // or the language model's file, or the packed model
  formats::ModelConfig config;
  formats::ImageProcessorConfig image_processor;
  formats::GenerationConfig generation;
  std::optional<std::string> chat_template;
  std::string tokenizer_json;    // whole text; empty when there is none
  std::string tokenizer_model;   // bytes of tokenizer.model; empty when there is none
  std::string tokenizer_config;  // texts of the files beside it; empty when there is none
  std::string added_tokens;
  std::optional<formats::GgufVocabulary> vocabulary;  // of a GGUF file
  std::vector<base::MappedFile> files;
  std::map<std::string, StoredTensor, std::less<>> tensors;  // by canonical name
  std::optional<PackedOrigin> packed;

  // kBadModel naming the canonical name, the file and what was expected, when it is absent or has
  // another shape.
  Result<tensor::TensorView> tensor(std::string_view canonical, const tensor::Shape& shape) const;
  bool has(std::string_view canonical) const { return tensors.contains(canonical); }
  // kBadModel when a file was altered since it was mapped: asked after everything has been read.
  Status unchanged() const;
};

// A Hugging Face folder (its JSON files read, its weights mapped), a GGUF language model with its
// tower in `mmproj`, a folder that holds such a pair, or a packed model (packed_checkpoint.h).
// kNotFound when there is no model; kBadModel, kUnsupported, kIo naming the file. Blocks on the
// disk; any thread.
Result<Checkpoint> load_checkpoint(const std::filesystem::path& path,
                                   const std::filesystem::path& mmproj = {});

}  // namespace ocellus::models
