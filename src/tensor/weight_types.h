// The types that weights can have: one table, which every list of types reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

#include "ocellus/weight_type.h"
#include "tensor/block_codec.h"
#include "tensor/dtype.h"

namespace ocellus::tensor {

// How a block's values follow from its parts:  d * scale * (q - bias) - dmin * min  with one scale
// (and min) for each `sub` values; types without scales have 1 for them, types without mins have
// none. Every product and the difference is f32, in this order: these are dequantize()'s values.
struct QuantLayout {
  int sub = 0;            // values of one scale: 16 or 32; 32 also where a whole block has one
  int bias = 0;           // of q
  int offset = 0;         // q + offset is not negative and has low + high bits
  int low = 0, high = 0;  // 2, 4 or 8 and 0, 1 or 2
  bool scales = false;
  bool mins = false;

  constexpr int zero() const { return bias + offset; }  // what q + offset is for the value 0
};

// What GGUF calls a type.
struct GgufNames {
  std::string_view name;        // "Q4_K"
  std::uint32_t type = 0;       // ggml's enum ggml_type
  std::uint32_t file_type = 0;  // ggml's enum llama_ftype: a file whose matrices are mostly that
};

struct WeightTypeInfo {
  DType dtype = DType::kF32;
  std::string_view name;  // "q4_k"
  WeightType option = WeightType::kAuto;
  std::optional<GgufNames> gguf;      // none: no GGUF file has it
  std::size_t values = 1, bytes = 0;  // of a block
  // Where a row is no whole number of blocks: a type of about the same size with smaller blocks, at
  // last f16. The reference goes the same way, but for two types that it takes to iq4_nl.
  DType smaller_blocks = DType::kF16;
  // A row that is rounded to the type may end inside a block, the rest of which is zero: only where
  // no file has the type.
  bool may_end_inside = false;
  // Block types only.
  const BlockCodec* codec = nullptr;
  QuantLayout layout = {};
};

// In the order of DType, which is also that of lists for people. A new type has a row here, its
// codec beside the others (block_*.cc), and a value of DType and of WeightType. The kernels follow
// from the layout; one that they do not know does not compile (compute/cpu/quant/unpack-inl.h).
// clang-format off
inline constexpr WeightTypeInfo kWeightTypes[] = {
    {DType::kF32, "f32", WeightType::kF32, GgufNames{"F32", 0, 0}, 1, 4},
    {DType::kF16, "f16", WeightType::kF16, GgufNames{"F16", 1, 1}, 1, 2},
    {DType::kBF16, "bf16", WeightType::kBF16, GgufNames{"BF16", 30, 32}, 1, 2},
    // ..., {sub, bias, offset, low, high, scales, mins}
    {DType::kQ8, "q8", WeightType::kQ8, {}, 128, 130, DType::kF16,
     true, &kQ8Codec, {32, 0, 128, 8, 0, false, false}},
    {DType::kQ4, "q4", WeightType::kQ4, {}, 128, 66, DType::kF16,
     true, &kQ4Codec, {32, 8, 0, 4, 0, false, false}},
    {DType::kQ8_0, "q8_0", WeightType::kQ8_0, GgufNames{"Q8_0", 8, 7}, 32, 34, DType::kF16,
     false, &kQ8_0Codec, {32, 0, 128, 8, 0, false, false}},
    {DType::kQ6_K, "q6_k", WeightType::kQ6_K, GgufNames{"Q6_K", 14, 18}, 256, 210, DType::kQ8_0,
     false, &kQ6_KCodec, {16, 0, 32, 4, 2, true, false}},
    {DType::kQ5_K, "q5_k", WeightType::kQ5_K, GgufNames{"Q5_K", 13, 16}, 256, 176, DType::kQ5_1,
     false, &kQ5_KCodec, {32, 0, 0, 4, 1, true, true}},
    {DType::kQ5_1, "q5_1", WeightType::kQ5_1, GgufNames{"Q5_1", 7, 9}, 32, 24, DType::kF16,
     false, &kQ5_1Codec, {32, 0, 0, 4, 1, false, true}},
    {DType::kQ5_0, "q5_0", WeightType::kQ5_0, GgufNames{"Q5_0", 6, 8}, 32, 22, DType::kF16,
     false, &kQ5_0Codec, {32, 0, 16, 4, 1, false, false}},
    {DType::kQ4_K, "q4_k", WeightType::kQ4_K, GgufNames{"Q4_K", 12, 14}, 256, 144, DType::kQ5_0,
     false, &kQ4_KCodec, {32, 0, 0, 4, 0, true, true}},
    {DType::kQ4_1, "q4_1", WeightType::kQ4_1, GgufNames{"Q4_1", 3, 3}, 32, 20, DType::kF16,
     false, &kQ4_1Codec, {32, 0, 0, 4, 0, false, true}},
    {DType::kQ4_0, "q4_0", WeightType::kQ4_0, GgufNames{"Q4_0", 2, 2}, 32, 18, DType::kF16,
     false, &kQ4_0Codec, {32, 8, 0, 4, 0, false, false}},
    {DType::kQ3_K, "q3_k", WeightType::kQ3_K, GgufNames{"Q3_K", 11, 11}, 256, 110, DType::kQ4_0,
     false, &kQ3_KCodec, {16, 4, 0, 2, 1, true, false}},
    {DType::kQ2_K, "q2_k", WeightType::kQ2_K, GgufNames{"Q2_K", 10, 10}, 256, 84, DType::kQ4_0,
     false, &kQ2_KCodec, {16, 0, 0, 2, 0, true, true}},
};
// clang-format on

inline constexpr std::size_t kWeightTypeCount = std::size(kWeightTypes);
// The block types, which are the last rows.
inline constexpr std::size_t kFirstBlockType = 3;
inline constexpr std::span<const WeightTypeInfo> kBlockTypes =
    std::span(kWeightTypes).subspan(kFirstBlockType);

// Not the codecs: GCC compares no addresses at compile time with UBSan. A test walks the table.
static_assert([] {
  for (std::size_t i = 0; i < kWeightTypeCount; ++i) {
    const WeightTypeInfo& row = kWeightTypes[i];
    if (static_cast<std::size_t>(row.dtype) != i || static_cast<std::size_t>(row.option) != i + 1 ||
        is_quantized(row.dtype) != (i >= kFirstBlockType)) {
      return false;
    }
  }
  return !is_weight(static_cast<DType>(kWeightTypeCount));
}());

// For what is_weight().
constexpr const WeightTypeInfo& weight_type(DType type) noexcept {
  return kWeightTypes[static_cast<std::size_t>(type)];
}

// Null for another name.
const WeightTypeInfo* find_weight_type(std::string_view name) noexcept;

// Nothing for kAuto.
constexpr std::optional<DType> dtype_of(WeightType option) noexcept {
  if (option == WeightType::kAuto) return std::nullopt;
  return kWeightTypes[static_cast<std::size_t>(option) - 1].dtype;
}

}  // namespace ocellus::tensor
