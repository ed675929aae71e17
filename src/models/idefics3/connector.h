// Idefics3's connector: a square of patches becomes one row, and one linear layer.
// Reference: transformers 5, models/idefics3/modeling_idefics3.py, Idefics3Connector.
#pragma once

#include <memory>

#include "models/idefics3/config.h"
#include "models/parts/connector.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// Its tensor: "projector.proj.weight".
void add_idefics3_connector_tensors(TensorTable& table, const Idefics3Config& config);

// Of a table with it. kBadModel, kUnsupported, kOutOfMemory, kCancelled.
Result<std::unique_ptr<const Connector>> load_idefics3_connector(const Idefics3Config& config,
                                                                 const WeightLoader& loader);

}  // namespace ocellus::models
