#include "compute/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/result.h"
#include "compute/cpu/attention/attention.h"
#include "compute/cpu/attention/kv_blocks.h"
#include "compute/cpu/delta/delta_net.h"
#include "compute/cpu/elementwise/kernels.h"
#include "compute/cpu/gemm/linear.h"
#include "compute/cpu/gemm/packed_weight.h"
#include "compute/cpu/gemm/read_row.h"
#include "compute/cpu/gemm/tables.h"
#include "compute/cpu/pool/thread_pool.h"
#include "compute/cpu/pool/workspace.h"
#include "compute/cpu/quant/expanded_weight.h"
#include "compute/cpu/topology/cores.h"

namespace ocellus::compute::cpu {
namespace {

using base::make_error;

constexpr int kMaxThreads = 1024;

// Rows of a task of row-wise operations.
constexpr std::int64_t kRowsPerTask = 8;

struct CpuTables {
  GemmTables gemm;
  const ElementwiseKernels* elementwise = nullptr;
  AttentionTables attention;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(const CpuTables& tables, std::unique_ptr<ThreadPool> pool, bool expand_weights)
      : tables_(tables.gemm),
        elementwise_(*tables.elementwise),
        attention_{.f32 = tables.attention.f32,
                   .bf16 = expand_weights ? nullptr : tables.attention.bf16},
        pool_(std::move(pool)),
        expand_weights_(expand_weights) {}

  std::string describe() const override {
    return fmt::format("cpu: {}, {} thread{}", describe_tables(), pool_->threads(),
                       pool_->threads() == 1 ? "" : "s");
  }

  bool multiplies_bf16() const override { return tables_.bf16 != nullptr; }

  std::unique_ptr<Workspace> make_workspace() const override {
    return std::make_unique<CpuWorkspace>();
  }

  Result<std::unique_ptr<Weight>> make_weight(const tensor::TensorView& source,
                                              WeightFormat format) const override {
    if (expand_weights_ && format.dtype != DType::kF32) {
      OCELLUS_ASSIGN_OR_RETURN(const auto values, expand_rounded(source, format.dtype, *pool_));
      OCELLUS_ASSIGN_OR_RETURN(auto expanded,
                               PackedWeight::pack({DType::kF32, source.shape, values.bytes()},
                                                  DType::kF32, false, *pool_));
      return expanded;
    }
    const bool bf16_pairs =
        format.arithmetic == Arithmetic::kReducedPrecision && tables_.bf16 != nullptr;
    OCELLUS_ASSIGN_OR_RETURN(auto weight,
                             PackedWeight::pack(source, format.dtype, bf16_pairs, *pool_));
    return weight;
  }

  std::string weight_layout() const override { return std::string(kWeightLayout); }

  Result<std::unique_ptr<Weight>> map_weight(const PackedWeightView& image,
                                             std::shared_ptr<const void> owner) const override {
    if (expand_weights_ && image.format.dtype != DType::kF32) {
      return make_error(
          ErrorCode::kUnsupported,
          "packed weights of type {}: cannot be expanded to f32: expected the model that they were "
          "packed from",
          tensor::dtype_name(image.format.dtype));
    }
    if (image.format.arithmetic == Arithmetic::kReducedPrecision && tables_.bf16 == nullptr) {
      return make_error(
          ErrorCode::kUnsupported,
          "is packed for machines that multiply bf16: found {}; pack it again with other --weights",
          describe_tables());
    }
    OCELLUS_ASSIGN_OR_RETURN(auto weight, PackedWeight::map(image, std::move(owner)));
    return weight;
  }

  using Backend::linear;
  Status linear(ConstMatrix x, std::int64_t decode_rows, std::span<const LinearCall> calls,
                Workspace& workspace) const override {
    return cpu::linear({tables_, *pool_, static_cast<CpuWorkspace&>(workspace)}, x, decode_rows,
                       calls);
  }

  Status embed(const Weight& table, std::span<const std::int32_t> ids, Matrix out) const override {
    const auto& weight = static_cast<const PackedWeight&>(table);
    pool_->run(static_cast<std::int64_t>(ids.size()), [&](std::int64_t row, int) {
      read_row(tables_, weight, ids[static_cast<std::size_t>(row)], out.row(row));
    });
    return {};
  }

  Status layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                    Matrix y) const override {
    each_row(x.rows, [&](std::int64_t row) {
      elementwise_.layer_norm(x.row(row), weight, bias, eps, x.cols, y.row(row));
    });
    return {};
  }

  Status rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const override {
    each_row(x.rows, [&](std::int64_t row) {
      elementwise_.rms_norm(x.row(row), weight, eps, x.cols, y.row(row));
    });
    return {};
  }

  Status rope(Matrix x, std::int64_t heads, std::int64_t head_dim, ConstMatrix cos,
              ConstMatrix sin) const override {
    each_row(x.rows, [&](std::int64_t row) {
      for (std::int64_t head = 0; head < heads; ++head) {
        elementwise_.rotate(x.row(row) + head * head_dim, cos.row(row), sin.row(row), cos.cols);
      }
    });
    return {};
  }

  Status gate(Matrix x, ConstMatrix gates) const override {
    each_row(x.rows, [&](std::int64_t row) {
      elementwise_.gate(x.row(row), gates.row(row), x.cols, false);
    });
    return {};
  }

  Status gated_delta_net(const DeltaNetCall& call) const override {
    if (call.shape.kernel > kMaxConvolution) {
      return make_error(ErrorCode::kUnsupported,
                        "convolution: expected at most {} tokens, found {}", kMaxConvolution,
                        call.shape.kernel);
    }
    cpu::gated_delta_net(elementwise_, *pool_, call);
    return {};
  }

  Status attention(const AttentionShape& shape, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                   Matrix out, Workspace& workspace) const override {
    // A picture's keys and values go into blocks like a sequence's: one kernel serves both.
    KvGeometry geometry;
    geometry.layers = 1;
    geometry.kv_heads = shape.kv_heads;
    geometry.head_dim = shape.head_dim;
    geometry.block_tokens = kKvBlockTokens;
    if (shape.arithmetic == Arithmetic::kReducedPrecision && attention_.bf16 != nullptr)
      geometry.dtype = DType::kBF16;
    auto& scratch = static_cast<CpuWorkspace&>(workspace);
    const KvLayout layout(geometry);
    const std::int64_t count = (q.rows + kKvBlockTokens - 1) / kKvBlockTokens;
    OCELLUS_ASSIGN_OR_RETURN(
        std::byte* const memory,
        scratch.take(CpuWorkspace::kKeys, static_cast<std::size_t>(count) * layout.block_bytes()));
    std::vector<std::byte*> blocks(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = memory + i * layout.block_bytes();
    const SequenceRows rows{0, q.rows, 0, blocks};
    store(layout, 0, {&rows, 1}, k, v);
    return attend({.tables = attention_,
                   .shape = shape,
                   .layout = layout,
                   .layer = 0,
                   .sequences = {&rows, 1},
                   .causal = false,
                   .q = q,
                   .out = out},
                  *pool_, scratch);
  }

  Result<std::size_t> kv_block_bytes(const KvGeometry& geometry) const override {
    if (geometry.block_tokens != kKvBlockTokens || !KvLayout::supports(geometry.dtype)) {
      return make_error(
          ErrorCode::kUnsupported,
          "KV cache: expected f32, f16 or q8_0 in blocks of {} tokens, found {} in blocks of {}",
          kKvBlockTokens, tensor::dtype_name(geometry.dtype), geometry.block_tokens);
    }
    return KvLayout(geometry).block_bytes();
  }

  Status kv_store(const KvLayer& cache, std::span<const SequenceRows> sequences, ConstMatrix k,
                  ConstMatrix v) const override {
    store(KvLayout(cache.geometry), cache.layer, sequences, k, v);
    return {};
  }

  Status causal_attention(const AttentionShape& shape, const KvLayer& cache,
                          std::span<const SequenceRows> sequences, ConstMatrix q, Matrix out,
                          Workspace& workspace) const override {
    const KvLayout layout(cache.geometry);
    return attend({.tables = attention_,
                   .shape = shape,
                   .layout = layout,
                   .layer = cache.layer,
                   .sequences = sequences,
                   .causal = true,
                   .q = q,
                   .out = out},
                  *pool_, static_cast<CpuWorkspace&>(workspace));
  }

 private:
  void store(const KvLayout& layout, std::int64_t layer, std::span<const SequenceRows> sequences,
             ConstMatrix k, ConstMatrix v) const {
    const auto store_run =
        layout.element() == KvElement::kPairs ? attention_.bf16->store : attention_.f32->store;
    // One key-value head per task: tasks then never write to one cache line.
    pool_->run(std::ssize(sequences) * layout.kv_heads(), [&](std::int64_t task, int) {
      layout.store(store_run, layer, task % layout.kv_heads(),
                   sequences[static_cast<std::size_t>(task / layout.kv_heads())], k, v);
    });
  }

  template <typename Body>
  void each_row(std::int64_t rows, Body&& body) const {
    pool_->run((rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::int64_t task, int) {
      const std::int64_t last = std::min(rows, (task + 1) * kRowsPerTask);
      for (std::int64_t row = task * kRowsPerTask; row < last; ++row) body(row);
    });
  }

  // "avx512" alone, or with what multiplies integers and bf16: "avx512 (avx512vnni, avx512bf16)".
  std::string describe_tables() const {
    const std::string_view f32 = tables_.f32->name, int8 = tables_.int8->name;
    if (f32 == int8 && tables_.bf16 == nullptr) return std::string(f32);
    return fmt::format("{} ({}{}{})", f32, int8, tables_.bf16 == nullptr ? "" : ", ",
                       tables_.bf16 == nullptr ? "" : tables_.bf16->name);
  }

  const GemmTables tables_;
  const ElementwiseKernels& elementwise_;
  const AttentionTables attention_;
  std::unique_ptr<ThreadPool> pool_;
  bool expand_weights_;
};

// The best without AVX-512.
const Int8Kernels* choose_int8() {
  for (const Int8Kernels* const table : {avxvnni_int8_kernels(), avx2_int8_kernels()}) {
    if (table != nullptr) return table;
  }
  return &scalar_int8_kernels();
}

// Null tables where the machine lacks the instructions.
CpuTables choose(Isa isa) {
  const Int8Kernels* const int8 = choose_int8();
  switch (isa) {
    case Isa::kScalar:
      return {.gemm = {&scalar_f32_kernels(), &scalar_int8_kernels(), nullptr},
              .elementwise = &scalar_elementwise(),
              .attention = {&scalar_attention(), nullptr}};
    case Isa::kAvx2:
      return {.gemm = {avx2_f32_kernels(), int8, nullptr},
              .elementwise = avx2_elementwise(),
              .attention = {avx2_attention(), nullptr}};
    case Isa::kAvx512:
      // The first machines with AVX-512 have no products of bytes.
      return {.gemm = {avx512_f32_kernels(),
                       avx512_int8_kernels() != nullptr ? avx512_int8_kernels() : int8,
                       avx512_bf16_kernels()},
              .elementwise = avx512_elementwise(),
              .attention = {avx512_attention(), avx512bf16_attention()}};
    case Isa::kAuto:
      break;
  }
  for (const Isa best : {Isa::kAvx512, Isa::kAvx2}) {
    if (const CpuTables tables = choose(best); tables.gemm.f32 != nullptr) return tables;
  }
  return choose(Isa::kScalar);
}

}  // namespace

std::optional<Isa> parse_isa(std::string_view name) {
  if (name == "auto") return Isa::kAuto;
  if (name == "scalar") return Isa::kScalar;
  if (name == "avx2") return Isa::kAvx2;
  if (name == "avx512") return Isa::kAvx512;
  return std::nullopt;
}

Result<std::shared_ptr<const Backend>> make_cpu_backend(const CpuOptions& options) {
  const int threads = options.threads == 0 ? usable_cores() : options.threads;
  if (threads < 1 || threads > kMaxThreads) {
    return make_error(ErrorCode::kInvalidArgument, "threads: expected 1 to {}, found {}",
                      kMaxThreads, threads);
  }
  const CpuTables tables = choose(options.isa);
  if (tables.gemm.f32 == nullptr) {
    return make_error(ErrorCode::kUnsupported, "instruction set: this machine does not have {}",
                      options.isa == Isa::kAvx512 ? "AVX-512 F, BW, VL, DQ" : "AVX2, FMA, F16C");
  }
  OCELLUS_ASSIGN_OR_RETURN(auto pool, ThreadPool::create(threads));
  return std::make_shared<const CpuBackend>(tables, std::move(pool), options.expand_weights);
}

}  // namespace ocellus::compute::cpu
