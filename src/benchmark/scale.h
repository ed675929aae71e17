// From a model with few layers to the same model with all of them.
#pragma once

#include <cstdint>
#include <vector>

#include "compute/profiling_backend.h"

namespace ocellus::benchmark {

// What a step of the language model takes once (the embedding table, the last layer) is kept;
// everything else is the layers', whose number it is multiplied by.
struct Scale {
  std::int64_t layers = 1, full_layers = 1;
  std::int64_t vocabulary = 0, hidden = 0;  // by which the last layer is known

  bool applies() const { return layers != full_layers; }
  double factor() const { return static_cast<double>(full_layers) / static_cast<double>(layers); }
  bool once(const compute::OpProfile& op) const {
    return op.kind == compute::OpKind::kEmbed ||
           (op.kind == compute::OpKind::kLinear && op.out == vocabulary && op.in == hidden);
  }
  // A run's time and its operations, of few layers to all.
  void apply(double& seconds, std::vector<compute::OpProfile>& operations) const;
};

}  // namespace ocellus::benchmark
