// The families of models that are built in. Adding one touches its folder and one line of
// families.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint.h"
#include "models/description.h"
#include "ocellus/error.h"

namespace ocellus::models {

// A model of well-known sizes that can be made of random weights.
struct RandomModel {
  std::string_view name;  // "llava-1.5-7b"
  std::int64_t layers;    // of the language model
  // Its config.json, with so many layers of the language model; 0: all.
  std::string (*config)(std::int64_t layers);
};

struct Family {
  std::string_view name;
  std::span<const std::string_view> model_types;      // of config.json
  std::span<const std::string_view> projector_types;  // of GGUF towers
  // Tells families with the same projector type apart: null for the one that is left.
  bool (*is_gguf)(const Checkpoint& checkpoint) = nullptr;
  Result<std::unique_ptr<const ModelDescription>> (*describe)(const Checkpoint& checkpoint);
  std::span<const RandomModel> (*random_models)();
};

// Decides by model_type or projector type which family a checkpoint is of, and has it read.
// kUnsupported naming what was found and what is known; kBadModel.
Result<std::unique_ptr<const ModelDescription>> describe_model(const Checkpoint& checkpoint);

// describe_model() and load().
Result<std::unique_ptr<Model>> load_model(const Checkpoint& checkpoint,
                                          const compute::Backend& backend,
                                          const LoadOptions& options);

// Of all families.
std::vector<std::string> random_model_names();
// Null for another name.
const RandomModel* find_random_model(std::string_view name);

}  // namespace ocellus::models
