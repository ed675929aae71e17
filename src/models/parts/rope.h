// Rotary position embedding: angles for positions. Paper: RoFormer, arXiv:2104.09864.
// Reference: transformers, modeling_rope_utils.py (default, linear, llama3).
#pragma once

#include <cstdint>
#include <vector>

#include "formats/model_config.h"
#include "tensor/view.h"

namespace ocellus::models {

// Immutable after construction; any thread.
class Rope {
 public:
  // Rotates the first int(head_dim * partial_rotary_factor) values of each head.
  Rope(const formats::RopeConfig& config, std::int64_t head_dim);

  std::int64_t half() const { return static_cast<std::int64_t>(frequencies_.size()); }
  // Writes cos and sin [half] of one position's angles. The angle is a product of f32 numbers, as
  // in the reference.
  void fill(std::int64_t position, float* cos, float* sin) const;

 private:
  std::vector<float> frequencies_;  // [half], radians per position
};

// What Llama 3.1's scaling divides each frequency by, [half]: how GGUF files say it. Empty for
// every other scaling.
std::vector<float> rope_divisors(const formats::RopeConfig& config, std::int64_t head_dim);

}  // namespace ocellus::models
