#include "formats/gguf_types.h"

#include <algorithm>
#include <iterator>

namespace ocellus::formats {
namespace {

using tensor::DType;

constexpr std::size_t kWidths[kGgufTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr std::string_view kNames[kGgufTypes] = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

// ggml's numbers. Types without a DType can be listed, not computed with.
constexpr GgufTensorType kTensorTypes[] = {
    {0, "F32", 1, 4, DType::kF32},
    {1, "F16", 1, 2, DType::kF16},
    {2, "Q4_0", 32, 18, DType::kQ4_0},
    {3, "Q4_1", 32, 20, DType::kQ4_1},
    {6, "Q5_0", 32, 22, DType::kQ5_0},
    {7, "Q5_1", 32, 24, DType::kQ5_1},
    {8, "Q8_0", 32, 34, DType::kQ8_0},
    {9, "Q8_1", 32, 36, {}},
    {10, "Q2_K", 256, 84, DType::kQ2_K},
    {11, "Q3_K", 256, 110, DType::kQ3_K},
    {12, "Q4_K", 256, 144, DType::kQ4_K},
    {13, "Q5_K", 256, 176, DType::kQ5_K},
    {14, "Q6_K", 256, 210, DType::kQ6_K},
    {15, "Q8_K", 256, 292, {}},
    {16, "IQ2_XXS", 256, 66, {}},
    {17, "IQ2_XS", 256, 74, {}},
    {18, "IQ3_XXS", 256, 98, {}},
    {19, "IQ1_S", 256, 50, {}},
    {20, "IQ4_NL", 32, 18, {}},
    {21, "IQ3_S", 256, 110, {}},
    {22, "IQ2_S", 256, 82, {}},
    {23, "IQ4_XS", 256, 136, {}},
    {24, "I8", 1, 1, {}},
    {25, "I16", 1, 2, {}},
    {26, "I32", 1, 4, DType::kI32},
    {27, "I64", 1, 8, DType::kI64},
    {28, "F64", 1, 8, {}},
    {29, "IQ1_M", 256, 56, {}},
    {30, "BF16", 1, 2, DType::kBF16},
    {34, "TQ1_0", 256, 54, {}},
    {35, "TQ2_0", 256, 66, {}},
    {39, "MXFP4", 32, 17, {}},
};

template <typename Key, typename Member>
const GgufTensorType* find(Key key, Member member) noexcept {
  const auto* const found = std::ranges::find(kTensorTypes, key, member);
  return found == std::end(kTensorTypes) ? nullptr : found;
}

}  // namespace

std::size_t gguf_type_bytes(GgufType type) noexcept {
  return kWidths[static_cast<std::uint32_t>(type)];
}
std::string_view gguf_type_name(GgufType type) noexcept {
  return kNames[static_cast<std::uint32_t>(type)];
}

const GgufTensorType* find_gguf_tensor_type(std::uint32_t number) noexcept {
  return find(number, &GgufTensorType::number);
}
const GgufTensorType* find_gguf_tensor_type(std::string_view name) noexcept {
  return find(name, &GgufTensorType::name);
}
const GgufTensorType* find_gguf_tensor_type(tensor::DType dtype) noexcept {
  return find(std::optional(dtype), &GgufTensorType::dtype);
}

}  // namespace ocellus::formats
