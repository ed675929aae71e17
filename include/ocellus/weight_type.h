// Types that weights can be kept in.
#pragma once

#include <cstdint>

namespace ocellus {

// How weights are held in memory, and so how they are multiplied: f32 and f16 in f32, bf16 in bf16
// where the machine can, all others in 8-bit integers. The block types are rounded to while
// loading: the layers' matrices; the last layer becomes q8, the projector bf16, embeddings stay as
// they are stored. kQ8 and kQ4 are ours and the fastest, with one scale for 128 values; the others
// are GGUF's.
enum class WeightType : std::uint8_t {
  kAuto,  // as stored; 16-bit floats in f32, but a tower's beside block types in bf16
  kF32,
  kF16,
  kBF16,
  kQ8,
  kQ4,
  kQ8_0,
  kQ6_K,
  kQ5_K,
  kQ5_1,
  kQ5_0,
  kQ4_K,
  kQ4_1,
  kQ4_0,
  kQ3_K,
  kQ2_K,
};

}  // namespace ocellus
