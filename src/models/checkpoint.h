// A model on disk: its settings, its texts and its tensors, mapped and not yet copied.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "formats/hf_config.h"
#include "formats/model_config.h"
#include "formats/safetensors.h"
#include "ocellus/error.h"

namespace ocellus::models {

// One tensor as the file has it.
struct StoredTensor {
  std::string stored_name;
  const formats::SafetensorsEntry* entry = nullptr;
  std::size_t shard = 0;  // into Checkpoint::shards
};

struct Shard {
  base::MappedFile file;
  formats::SafetensorsDirectory tensors;
};

// Movable; read-only after loading, so any thread may read it while it lives. Views into it live as
// long as it does.
struct Checkpoint {
  std::filesystem::path folder;
  formats::ModelConfig config;
  formats::ImageProcessorConfig image_processor;
  formats::GenerationConfig generation;
  std::optional<std::string> chat_template;
  std::string tokenizer_json;    // whole text; empty when there is none
  std::string tokenizer_model;   // bytes of tokenizer.model; empty when there is none
  std::string tokenizer_config;  // texts of the files beside it; empty when there is none
  std::string added_tokens;
  std::vector<Shard> shards;
  std::map<std::string, StoredTensor, std::less<>> tensors;  // by canonical name

  // kBadModel naming the canonical name, the file and what was expected, when it is absent or has
  // another shape.
  Result<tensor::TensorView> tensor(std::string_view canonical, const tensor::Shape& shape) const;
  bool has(std::string_view canonical) const { return tensors.contains(canonical); }
  // kBadModel when a file was altered since it was mapped: asked after everything has been read.
  Status unchanged() const;
};

// Reads the folder's JSON files and maps its weights. kNotFound when there is no config.json or no
// weights; kBadModel, kUnsupported, kIo naming the file. Blocks on the disk; any thread.
Result<Checkpoint> load_checkpoint(const std::filesystem::path& folder);

}  // namespace ocellus::models
