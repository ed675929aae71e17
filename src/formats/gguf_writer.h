// Writes GGUF version 3: metadata, then tensors one at a time, so that no model is ever whole in
// memory.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf.h"
#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::formats {

// Describes a file, then writes it. Owned by one thread.
//
//   GgufWriter writer;
//   writer.put_text("general.architecture", "llama");
//   writer.add_tensor("output.weight", DType::kQ8_0, Shape{32000, 4096});
//   auto file = base::AtomicFile::create("m.gguf");
//   writer.write([&](std::span<const std::byte> bytes) { return file->append(bytes); },
//                [&](std::size_t i, const GgufWriter::Sink& sink) { return sink(bytes_of(i)); });
//   file->commit();
//
// The first mistake in a description (a key or name that is empty, too long, not UTF-8 or there
// twice; a shape that the type's blocks do not divide) is kept and is what write() gives.
class GgufWriter {
 public:
  void put_u32(std::string_view key, std::uint32_t value);
  void put_u64(std::string_view key, std::uint64_t value);
  void put_i32(std::string_view key, std::int32_t value);
  void put_f32(std::string_view key, float value);
  void put_bool(std::string_view key, bool value);
  void put_text(std::string_view key, std::string_view value);
  void put_texts(std::string_view key, std::span<const std::string_view> values);
  void put_i32s(std::string_view key, std::span<const std::int32_t> values);
  void put_f32s(std::string_view key, std::span<const float> values);
  void put_bools(std::string_view key, const std::vector<bool>& values);
  // As another file has it, in the same bytes; general.alignment is passed over, for this file has
  // its own.
  void put(const GgufEntry& entry);

  // Shape outermost first, as everywhere here; 1 to 4 dimensions, none of them 0.
  void add_tensor(std::string_view name, tensor::DType type, const tensor::Shape& shape);

  // Takes the next bytes, any number at a time.
  using Sink = std::function<Status(std::span<const std::byte>)>;
  // Gives the bytes of tensor number `index`, in order of add_tensor(): all of them before it
  // returns. An error ends the writing.
  using Source = std::function<Status(std::size_t index, const Sink& sink)>;

  // The whole file, in order, to `out`. kInvalidArgument for a description or a source that does
  // not hold together, or the error that `out` or the source gave.
  Status write(const Sink& out, const Source& source) const;

  // Bytes of the file that write() makes.
  std::uint64_t file_bytes() const;

 private:
  struct Tensor {
    std::string name;
    std::uint64_t bytes;
  };

  bool begin_entry(std::string_view key, GgufType type);
  void begin_array(GgufType type, std::size_t count);
  void fail(std::string message);  // keeps the first
  std::vector<std::byte> header() const;
  std::size_t header_bytes() const;

  std::vector<std::byte> metadata_, directory_;
  std::set<std::string, std::less<>> keys_, names_;
  std::vector<Tensor> tensors_;
  std::uint64_t data_bytes_ = 0;
  std::string mistake_;
};

}  // namespace ocellus::formats
