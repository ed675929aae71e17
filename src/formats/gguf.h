// GGUF: metadata and tensors of one file.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3,
// little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/gguf_types.h"
#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::formats {

// Limits (of tensors: kMaxTensors of safetensors.h).
inline constexpr std::uint64_t kMaxGgufEntries = 65'536;
inline constexpr std::size_t kMaxGgufText = std::size_t{64} << 20;

struct GgufArray;
// Texts borrow the file's bytes. Integers of every width are one kind, by sign.
using GgufValue =
    std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufArray>;

// Elements of one type, not yet unpacked: a vocabulary has hundreds of thousands.
struct GgufArray {
  std::uint32_t type = 0;  // the format's number of the element type
  std::uint64_t count = 0;
  std::span<const std::byte> data = {};
};

// A metadata entry as the file has it: what a writer needs to write the same again.
struct GgufEntry {
  std::string_view key;
  GgufType type;
  std::span<const std::byte> value;  // after the type; of an array: its type, count, elements
};

// The key-value pairs of a file. Borrows its bytes. Read-only; any thread.
class GgufMetadata {
 public:
  using Values = std::map<std::string, GgufValue, std::less<>>;

  // Of bytes that section() gave, possibly long ago: the same checks as GgufFile::parse(), and no
  // bytes after the last entry.
  static Result<GgufMetadata> parse(std::span<const std::byte> section, std::string_view file);

  const Values& metadata() const { return metadata_; }
  const std::vector<GgufEntry>& entries() const { return entries_; }  // in the file's order
  const std::string& file() const { return file_; }
  // The file's bytes from the count of its entries (u64) to the end of the last entry.
  std::span<const std::byte> section() const { return section_; }

  // Typed access; kBadModel naming the key, expected and found. Without a default an absent key is
  // an error too.
  bool has(std::string_view key) const { return metadata_.contains(key); }
  Result<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max) const;
  Result<std::int64_t> integer_or(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) const;
  Result<double> number_or(std::string_view key, double fallback) const;  // finite
  Result<bool> boolean_or(std::string_view key, bool fallback) const;
  Result<std::string> text(std::string_view key) const;
  Result<std::string> text_or(std::string_view key, std::string fallback) const;
  Result<std::vector<std::string_view>> texts(std::string_view key) const;
  // Integers or floats of any width.
  Result<std::vector<double>> numbers(std::string_view key) const;

 private:
  friend class GgufReader;
  const GgufValue* find(std::string_view key) const;

  std::string file_;
  Values metadata_;
  std::vector<GgufEntry> entries_;
  std::span<const std::byte> section_;
};

struct GgufTensor {
  std::string type;     // "Q4_K", "F32"; "type 99" for one that is not known
  tensor::Shape shape;  // outermost first: [out, in], the reverse of the file's order
  std::span<const std::byte> data;

  // kUnsupported for a type that models cannot compute with.
  Result<tensor::TensorView> view(std::string_view name) const;
};

// Borrows the file's bytes. Read-only; any thread.
class GgufFile : public GgufMetadata {
 public:
  using Tensors = std::map<std::string, GgufTensor, std::less<>>;

  // Every length, count and offset is checked against the file before it is used; names and keys
  // are unique; tensors follow one another, aligned, inside the file. kBadModel naming `file`, the
  // key or tensor, expected and found.
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string_view file);

  const Tensors& tensors() const { return tensors_; }
  std::uint32_t version() const { return version_; }

 private:
  friend class GgufReader;

  std::uint32_t version_ = 0;
  Tensors tensors_;
};

// What a value is, for people: "123", "\"llama\"", "[32000 texts]".
std::string describe(const GgufValue& value);

}  // namespace ocellus::formats
