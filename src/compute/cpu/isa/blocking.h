// Sizes that the kernels of every instruction set share.
#pragma once

namespace ocellus::compute::cpu {

// f32 lanes of the vector that every kernel is written over: one zmm, two ymm, sixteen floats.
inline constexpr int kLanes = 16;
// Outputs that lie together in a packed weight.
inline constexpr int kPanel = 32;
// Inputs of a panel that are multiplied at a time: 256 x 32 f32 of weights are 32 KiB, one L1.
inline constexpr int kBlockK = 256;

}  // namespace ocellus::compute::cpu
