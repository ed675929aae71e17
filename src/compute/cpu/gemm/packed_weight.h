// A weight matrix in the order in which kernels read it.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/aligned_buffer.h"
#include "compute/backend.h"
#include "compute/cpu/gemm/f32_kernels.h"
#include "compute/cpu/pool/thread_pool.h"

namespace ocellus::compute::cpu {

// The version of PanelLayout and quant_panel.h. Packed models carry it (docs/formats.md): any
// change of any type's bytes is another version. packed_weight_test.cc has hashes of the bytes.
inline constexpr std::string_view kWeightLayout = "cpu panels of 32, version 1";

// The memory of a panel, 32 outputs. Panels follow each other, the last one padded with zeros: a
// product reads memory once, forwards.
enum class PanelLayout : std::uint8_t {
  kFloat,      // [in][32], f32, f16 or bf16: multiplied in f32
  kBf16Pairs,  // [in / 2][32][2], an odd last input padded with zero: multiplied in bf16
  kQuant,      // [in / 256] chunks (quant_panel.h): multiplied in 8-bit integers
};

// Immutable; any thread.
class PackedWeight final : public Weight {
 public:
  // Chooses the layout: block types are kQuant; bf16 is kBf16Pairs when `bf16_pairs` and kFloat
  // otherwise. Values are rounded where `dtype` has fewer bits than the source.
  static Result<std::unique_ptr<PackedWeight>> pack(const tensor::TensorView& source, DType dtype,
                                                    bool bf16_pairs, ThreadPool& pool);

  // In memory that somebody else holds; Backend::map_weight() says what is asked of it.
  static Result<std::unique_ptr<PackedWeight>> map(const PackedWeightView& image,
                                                   std::shared_ptr<const void> owner);

  std::int64_t out() const override { return out_; }
  std::int64_t in() const override { return in_; }
  DType dtype() const override { return dtype_; }
  std::size_t bytes() const override { return data_.size(); }
  PackedWeightView packed_view() const override;

  PanelLayout layout() const { return layout_; }
  std::int64_t panels() const { return (out_ + kPanel - 1) / kPanel; }
  const std::byte* panel(std::int64_t number) const {
    return data_.data() + static_cast<std::size_t>(number) * panel_bytes_;
  }
  // kFloat: as the kernels name the type.
  Element element() const;
  // kQuant: bytes of a chunk of kBlockK values; value k of a panel begins in chunk k / kBlockK.
  std::size_t chunk_bytes() const { return chunk_bytes_; }
  // kQuant: inputs that the chunks hold: in(), rounded up to whole sub-blocks of 32.
  std::int64_t padded_in() const { return (in_ + 31) / 32 * 32; }

 private:
  // A weight without memory yet, and the bytes that it takes: the one place that knows.
  static Result<std::pair<std::unique_ptr<PackedWeight>, std::size_t>> describe(std::int64_t out,
                                                                                std::int64_t in,
                                                                                DType dtype,
                                                                                bool bf16_pairs);
  void pack_panel(const tensor::TensorView& source, std::int64_t number);

  std::int64_t out_ = 0, in_ = 0;
  DType dtype_ = DType::kF32;
  PanelLayout layout_ = PanelLayout::kFloat;
  std::size_t panel_bytes_ = 0, chunk_bytes_ = 0;
  std::span<const std::byte> data_;
  base::AlignedBuffer buffer_;         // what data_ lies in,
  std::shared_ptr<const void> owner_;  // or who holds what data_ lies in
};

}  // namespace ocellus::compute::cpu
