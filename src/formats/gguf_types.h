// The numbers that GGUF files use for types of values and of tensors.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and ggml's enum ggml_type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace ocellus::formats {

inline constexpr std::uint32_t kGgufMagic = 0x46554747;  // "GGUF", little-endian
inline constexpr std::size_t kMaxGgufKey = 65'535;
inline constexpr std::size_t kMaxGgufTensorName = 63;  // ggml's GGML_MAX_NAME less its terminator
inline constexpr std::uint64_t kGgufAlignment = 32;    // where general.alignment is absent

enum class GgufType : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
inline constexpr std::uint32_t kGgufTypes = 13;

// Of one value; 0 for strings and arrays, whose size stands in the file.
std::size_t gguf_type_bytes(GgufType type) noexcept;
std::string_view gguf_type_name(GgufType type) noexcept;  // "u8", "string"

struct GgufTensorType {
  std::uint32_t number;
  std::string_view name;  // "Q4_K"
  std::size_t block_values, block_bytes;
  std::optional<tensor::DType> dtype;  // none: it can be listed, not computed with
};

// Null where there is none.
const GgufTensorType* find_gguf_tensor_type(std::uint32_t number) noexcept;
const GgufTensorType* find_gguf_tensor_type(std::string_view name) noexcept;
const GgufTensorType* find_gguf_tensor_type(tensor::DType dtype) noexcept;

}  // namespace ocellus::formats
