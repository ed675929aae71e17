// A packed model: one file with everything that loading needs, its matrices in the layout in which
// a backend multiplies them, so that they are mapped and neither read nor copied.
//
// All integers little-endian. `text` is a u32 length and that many bytes.
//   header, one page of 4096 bytes, of which the rest is zero:
//     0   8 bytes "OCELPACK"        24  u64 offset of the directory, which goes to the file's end
//     8   u32 version, 2            32  SHA-256 of the directory
//     12  u32 zero                  64  SHA-256 of bytes 0 to 63
//     16  u64 bytes of the file
//   matrices, each at the next multiple of 4096 after the one before
//   directory, at the next multiple of 4096:
//     text layout    Backend::weight_layout()
//     u8, u8         language model, tower: 1 where attention is computed with reduced precision,
//     else 0 u32 count of texts, each: text name, u64 length, bytes: the small files of a Hugging
//     Face
//       folder by their names, or language.gguf and mmproj.gguf, the metadata of a GGUF pair as
//       those files have it from the count of their entries to the last one (version 1 had whole
//       files there)
//     u32 count of vectors, each: text name, u8 rank, u64 dimensions, f32 values
//     u32 count of matrices, in order of their places, each: text name, u8 rank, u64 dimensions of
//       the tensor, text type, u8 1 where multiplied as bf16, u64 outputs, u64 inputs, u64 offset,
//       u64 bytes, SHA-256 of the bytes
// Checksums of header and directory are looked at whenever a file is opened; those of matrices only
// by who reads them all (verify_packed_model).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.h"
#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::formats {

inline constexpr std::string_view kPackedMagic = "OCELPACK";
inline constexpr std::uint32_t kPackedVersion = 2;
inline constexpr std::uint64_t kPackedPage = 4096;
// Texts and vectors of the largest models take a tenth of this.
inline constexpr std::uint64_t kMaxPackedDirectory = std::uint64_t{512} << 20;
inline constexpr std::size_t kMaxPackedTexts = 64;

struct PackedText {
  std::string name;  // "config.json"
  std::string_view content;
};

struct PackedVector {
  std::string name;  // as the source spells it: "model.language_model.norm.weight"
  tensor::Shape shape;
  std::span<const std::byte> values;  // f32, any alignment
};

struct PackedMatrix {
  std::string name;
  tensor::Shape shape;  // of the tensor: a convolution's kernel has four dimensions
  tensor::DType dtype = tensor::DType::kF32;
  bool multiplied_as_bf16 = false;
  std::int64_t out = 0, in = 0;
  std::uint64_t offset = 0, bytes = 0;
  base::Sha256 checksum = {};
};

struct PackedDirectory {
  std::string layout;
  bool language_reduced = false, tower_reduced = false;
  std::vector<PackedText> texts;
  std::vector<PackedVector> vectors;
  std::vector<PackedMatrix> matrices;
};

bool begins_like_packed_model(std::span<const std::byte> bytes);

// Reads header and directory and touches no matrix. The directory borrows `bytes`. Names are unique
// and plain; matrices lie inside the file, aligned, one after the other without gaps. Whether a
// matrix has the bytes that its sizes need is the backend's to say. kBadModel naming `file`, the
// entry, expected and found; kUnsupported for another version.
Result<PackedDirectory> parse_packed_model(std::span<const std::byte> bytes, std::string_view file);

// What a writer puts after the matrices, and then at the beginning (`directory_offset` is where it
// put the former). matrices are in order.
std::vector<std::byte> packed_directory_bytes(const PackedDirectory& directory);
std::vector<std::byte> packed_header_bytes(std::uint64_t directory_offset,
                                           std::span<const std::byte> directory);

inline constexpr std::uint64_t packed_page_end(std::uint64_t offset) {
  return (offset + kPackedPage - 1) / kPackedPage * kPackedPage;
}

}  // namespace ocellus::formats
