#include "formats/gguf_types.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "tensor/weight_types.h"

namespace ocellus::formats {
namespace {

using tensor::DType;

constexpr std::size_t kWidths[kGgufTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr std::string_view kNames[kGgufTypes] = {
    "u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

// Types that can be listed, not computed with as weights.
constexpr GgufTensorType kOtherTypes[] = {
    {9, "Q8_1", 32, 36, {}},        {15, "Q8_K", 256, 292, {}},     {16, "IQ2_XXS", 256, 66, {}},
    {17, "IQ2_XS", 256, 74, {}},    {18, "IQ3_XXS", 256, 98, {}},   {19, "IQ1_S", 256, 50, {}},
    {20, "IQ4_NL", 32, 18, {}},     {21, "IQ3_S", 256, 110, {}},    {22, "IQ2_S", 256, 82, {}},
    {23, "IQ4_XS", 256, 136, {}},   {24, "I8", 1, 1, {}},           {25, "I16", 1, 2, {}},
    {26, "I32", 1, 4, DType::kI32}, {27, "I64", 1, 8, DType::kI64}, {28, "F64", 1, 8, {}},
    {29, "IQ1_M", 256, 56, {}},     {34, "TQ1_0", 256, 54, {}},     {35, "TQ2_0", 256, 66, {}},
    {39, "MXFP4", 32, 17, {}},
};
constexpr std::size_t kGgufWeightTypes = static_cast<std::size_t>(std::ranges::count_if(
    tensor::kWeightTypes,
    [](const tensor::WeightTypeInfo& type) { return type.gguf.has_value(); }));

// Those of tensor/weight_types.h that GGUF has, then the others.
constexpr auto kTensorTypes = [] {
  std::array<GgufTensorType, kGgufWeightTypes + std::size(kOtherTypes)> all{};
  std::size_t count = 0;
  for (const tensor::WeightTypeInfo& type : tensor::kWeightTypes) {
    if (type.gguf)
      all[count++] = {type.gguf->type, type.gguf->name, type.values, type.bytes, type.dtype};
  }
  for (const GgufTensorType& type : kOtherTypes) all[count++] = type;
  return all;
}();

template <typename Key, typename Member>
const GgufTensorType* find(Key key, Member member) noexcept {
  const auto found = std::ranges::find(kTensorTypes, key, member);
  return found == kTensorTypes.end() ? nullptr : &*found;
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
