// The safetensors container: a JSON header and one byte buffer.
// Format: https://github.com/huggingface/safetensors, with every rule of its validator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::formats {

// Where the file's limits stand. A header beyond them is refused before it is parsed.
inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;
inline constexpr std::size_t kMaxTensors = 100'000;
inline constexpr std::size_t kMaxTensorName = 512;

struct SafetensorsEntry {
  std::string dtype;  // as the file spells it: "F32", "F8_E4M3" ...
  tensor::Shape shape;
  std::span<const std::byte> data;  // inside the file's bytes, any alignment

  // kUnsupported for an element type that models cannot compute with.
  Result<tensor::TensorView> view(std::string_view name) const;
};

using SafetensorsDirectory = std::map<std::string, SafetensorsEntry, std::less<>>;

// Checks the whole header against the file: unique names, known types, sizes that multiply out,
// data without overlap, hole or trailing bytes. The entries borrow `bytes`. kBadModel, naming
// `file`, the tensor, expected and found.
Result<SafetensorsDirectory> parse_safetensors(std::span<const std::byte> bytes,
                                               std::string_view file);

// model.safetensors.index.json: tensor name -> bare file name. kBadModel for a name that leaves the
// folder.
Result<std::map<std::string, std::string>> parse_safetensors_index(std::string_view text,
                                                                   std::string_view file);

// One tensor to write.
struct NamedTensor {
  std::string name;
  std::string dtype;  // "F32", "I64" ...
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

// The bytes of a file holding the tensors in the given order; names must be unique.
std::vector<std::byte> write_safetensors(std::span<const NamedTensor> tensors,
                                         const std::map<std::string, std::string>& metadata = {});

}  // namespace ocellus::formats
