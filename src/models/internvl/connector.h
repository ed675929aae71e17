// InternVL's connector: a square of patches becomes one row, a norm and two linear layers.
// Reference: transformers 5, models/internvl/modeling_internvl.py, InternVLMultiModalProjector.
#pragma once

#include <memory>

#include "models/internvl/config.h"
#include "models/parts/connector.h"
#include "models/parts/weight_loader.h"

namespace ocellus::models {

// Its tensors: "projector. ...".
void add_internvl_connector_tensors(TensorTable& table, const InternVlConfig& config);

// Of a table with them. kBadModel, kUnsupported, kOutOfMemory, kCancelled.
Result<std::unique_ptr<const Connector>> load_internvl_connector(const InternVlConfig& config,
                                                                 const WeightLoader& loader);

}  // namespace ocellus::models
