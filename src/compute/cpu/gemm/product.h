// Products of rows with packed weights. Each prepares its rows once; then any thread multiplies
// them with any panel.
#pragma once

#include "compute/cpu/gemm/interleave.h"
#include "compute/cpu/gemm/packed_weight.h"
#include "compute/cpu/gemm/tables.h"
#include "compute/cpu/pool/row_tiles.h"
#include "compute/cpu/pool/thread_pool.h"
#include "compute/cpu/pool/workspace.h"

namespace ocellus::compute::cpu {

struct ProductTools {
  const GemmTables& kernels;
  ThreadPool& pool;
  CpuWorkspace& workspace;
};

// Every product has
//   static Result<P> prepare(const ProductTools&, ConstMatrix x);  rows in the workspace
//   std::size_t scratch_bytes() const;                             of each thread, 64-byte aligned
//   void multiply(const PackedWeight&, panel, scratch, float* sums [rows][32], const TileEpilogue&)
//   const;
// A row's sums depend on that row alone.

// Runs on rows whose sums are complete, tile by tile and in order, while these are in the L1.
class TileEpilogue {
 public:
  virtual void apply(std::int64_t first, std::int64_t rows) const = 0;

 protected:
  ~TileEpilogue() = default;
};

// f32 multiply-adds with weights of kFloat, by the contract of f32_kernels.h.
class FloatProduct {
 public:
  static Result<FloatProduct> prepare(const ProductTools& tools, ConstMatrix x);
  std::size_t scratch_bytes() const { return std::size_t{kBlockK} * kPanel * sizeof(float); }
  void multiply(const PackedWeight& weight, std::int64_t panel, std::byte* scratch, float* sums,
                const TileEpilogue& epilogue) const;

 private:
  FloatProduct(const F32Kernels& kernels, std::int64_t rows, std::int64_t depth, const float* data)
      : kernels_(&kernels),
        tiles_(rows, kernels.tile_rows),
        rows_(rows),
        depth_(depth),
        data_(data) {}

  const F32Kernels* kernels_;
  RowTiles tiles_;
  std::int64_t rows_, depth_;
  const float* data_;  // [tile][k][rows of the tile]
};

// Rows rounded to bf16, weights of kBf16Pairs.
class Bf16Product {
 public:
  static Result<Bf16Product> prepare(const ProductTools& tools, ConstMatrix x);
  std::size_t scratch_bytes() const { return 0; }
  void multiply(const PackedWeight& weight, std::int64_t panel, std::byte* scratch, float* sums,
                const TileEpilogue& epilogue) const;

 private:
  Bf16Product(const Bf16Kernels& kernels, std::int64_t rows, std::int64_t pairs,
              const std::uint16_t* data)
      : kernels_(&kernels), tiles_(rows, kernels.tile_rows), pairs_(pairs), data_(data) {}

  const Bf16Kernels* kernels_;
  RowTiles tiles_;
  std::int64_t pairs_;
  const std::uint16_t* data_;  // [tile][pair][rows of the tile][2]
};

// Prefill rows, rounded to 8 bits, with kQuant weights requantised to 8 bits with one scale for 128
// values, once for a panel.
class Int8PrefillProduct {
 public:
  static Result<Int8PrefillProduct> prepare(const ProductTools& tools, ConstMatrix x);
  std::size_t scratch_bytes() const;
  void multiply(const PackedWeight& weight, std::int64_t panel, std::byte* scratch, float* sums,
                const TileEpilogue& epilogue) const;

 private:
  Int8PrefillProduct(const GemmTables& kernels, std::int64_t rows, std::int64_t depth)
      : kernels_(&kernels), tiles_(rows, kernels.int8->tile_rows), depth_(depth) {}

  const GemmTables* kernels_;
  RowTiles tiles_;
  std::int64_t depth_;        // in whole groups
  std::int8_t* q_ = nullptr;  // [tile][depth / 4][rows of the tile], Int8Kernels::interleave
  float* scales_ = nullptr;   // [tile][depth / kGroup][rows of the tile]
  std::int32_t* acc_init_ = nullptr;
};

// Decode rows, rounded to 8 bits, with the exact values of kQuant weights. Bounded by reading
// memory.
class Int8DecodeProduct {
 public:
  static Result<Int8DecodeProduct> prepare(const ProductTools& tools, ConstMatrix x);
  std::size_t scratch_bytes() const {
    return static_cast<std::size_t>(rows_.rows) * kPanel * sizeof(float);
  }
  void multiply(const PackedWeight& weight, std::int64_t panel, std::byte* scratch, float* sums,
                const TileEpilogue& epilogue) const;

 private:
  Int8DecodeProduct(const Int8Kernels& kernels, const Int8Rows& rows)
      : kernels_(&kernels), rows_(rows) {}

  const Int8Kernels* kernels_;
  Int8Rows rows_;
};

}  // namespace ocellus::compute::cpu
