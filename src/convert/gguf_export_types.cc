#include <optional>

#include "convert/gguf_export.h"

namespace ocellus::convert {
namespace {

using tensor::DType;

// Where a row is no whole number of blocks: the type of about the same size with smaller blocks, at
// last f16. The reference goes the same way, but for two types that it takes to iq4_nl.
DType next_type(DType type) {
  switch (type) {
    case DType::kQ2_K:
    case DType::kQ3_K:
      return DType::kQ4_0;
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    case DType::kQ6_K:
      return DType::kQ8_0;
    default:
      return DType::kF16;
  }
}

DType fitting(DType type, std::int64_t row) {
  while (!tensor::whole_blocks(type, row)) type = next_type(type);
  return type;
}

bool is_embedding(std::string_view name) {
  return name == "token_embd.weight" || name == "output.weight";
}

}  // namespace

DType exported_type(std::string_view name, DType stored, const tensor::Shape& shape, DType wanted,
                    bool tower) {
  if (!tensor::is_plain_float(stored) && !tensor::is_quantized(stored)) return stored;
  if (shape.rank() < 2) return DType::kF32;
  if (tower) {
    if (name == "v.position_embd.weight") return DType::kF32;
    // A convolution's kernel: f32 and f16 are what other engines convolve with.
    if (name == "v.patch_embd.weight")
      return wanted == DType::kF32 || wanted == DType::kBF16 ? DType::kF32 : DType::kF16;
    if (name.starts_with("mm.") && tensor::is_quantized(wanted)) return DType::kF16;
  }
  // Every token goes through these two: what is lost here, all of them lose.
  if (is_embedding(name) && tensor::is_quantized(wanted) && wanted != DType::kQ8_0)
    wanted = DType::kQ6_K;
  return fitting(wanted, shape[shape.rank() - 1]);
}

}  // namespace ocellus::convert
