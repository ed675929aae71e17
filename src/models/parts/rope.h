// Rotary position embedding: angles for positions. Paper: RoFormer, arXiv:2104.09864.
// Reference: transformers, modeling_rope_utils.py (default, linear, llama3), and M-RoPE of
// models/qwen2_vl/ (runs) and models/qwen3_vl/ (interleaved).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/language_model.h"
#include "tensor/view.h"

namespace ocellus::models {

struct RopeConfig {
  enum class Scaling { kNone, kLinear, kLlama3 };
  double theta = 10000.0;
  std::int64_t rotated_dims = 0;  // the first values of each head that are rotated, in pairs
  Scaling scaling = Scaling::kNone;
  double factor = 1.0;            // linear, llama3
  double low_freq_factor = 1.0;   // llama3
  double high_freq_factor = 4.0;  // llama3
  std::int64_t original_max_position = 0;
  // M-RoPE: how many frequencies turn by time, height and width; empty: all by the first. One run
  // of each after the other, or `interleaved`: time, height, width in turn, the rest by time.
  std::vector<std::int64_t> sections = {};
  bool interleaved = false;
};

// Immutable after construction; any thread.
class Rope {
 public:
  // `divisors` [half] of each frequency, beside the scaling; may be empty.
  explicit Rope(const RopeConfig& config, std::span<const float> divisors = {});

  std::int64_t half() const { return static_cast<std::int64_t>(frequencies_.size()); }
  // Writes cos and sin [half] of one position's angles. The angle is a product of f32 numbers, as
  // in the reference.
  void fill(std::int64_t position, float* cos, float* sin) const {
    const auto at = static_cast<std::int32_t>(position);
    fill({at, at, at}, cos, sin);
  }
  void fill(const Position& position, float* cos, float* sin) const;

 private:
  std::vector<float> frequencies_;  // [half], radians per position
  std::vector<std::uint8_t> axes_;  // [half], of the position
};

// What Llama 3.1's scaling divides each frequency by, [half], as GGUF files have it
// (rope_freqs.weight). Empty for every other scaling.
std::vector<float> rope_divisors(const RopeConfig& config);

}  // namespace ocellus::models
