#include "compute/cpu/cpu_backend.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/result.h"
#include "compute/cpu/kernels.h"
#include "compute/cpu/kv_blocks.h"
#include "compute/cpu/matmul.h"
#include "compute/cpu/packed_weight.h"
#include "compute/cpu/thread_pool.h"
#include "compute/cpu/workspace.h"

namespace ocellus::compute::cpu {
namespace {

using base::make_error;

constexpr int kMaxThreads = 1024;

Function function_of(Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return Function::kNone;
    case Activation::kGelu:
      return Function::kGelu;
    case Activation::kGeluTanh:
      return Function::kGeluTanh;
    case Activation::kQuickGelu:
      return Function::kQuickGelu;
    case Activation::kSilu:
      return Function::kSilu;
    case Activation::kRelu:
      return Function::kRelu;
  }
  return Function::kNone;
}

// Rows per task of the cheap row-wise operations: enough work to be worth handing out.
constexpr std::int64_t kRowsPerTask = 8;

class CpuBackend final : public Backend {
 public:
  CpuBackend(const Kernels& kernels, std::unique_ptr<ThreadPool> pool)
      : kernels_(kernels), pool_(std::move(pool)) {}

  std::string describe() const override {
    return fmt::format("cpu: {}, {} thread{}", kernels_.name, pool_->threads(),
                       pool_->threads() == 1 ? "" : "s");
  }

  std::unique_ptr<Workspace> make_workspace() const override {
    return std::make_unique<CpuWorkspace>();
  }

  Result<std::unique_ptr<Weight>> make_weight(const tensor::TensorView& source,
                                              DType dtype) const override {
    OCELLUS_ASSIGN_OR_RETURN(auto weight, PackedWeight::pack(source, dtype, *pool_));
    return weight;
  }

  Status linear(const Weight& w, ConstMatrix x, const Epilogue& epilogue, Matrix y,
                Workspace& workspace) const override {
    return matmul(kernels_, *pool_, static_cast<const PackedWeight&>(w), x,
                  {epilogue.bias, function_of(epilogue.activation), epilogue.residual}, y,
                  static_cast<CpuWorkspace&>(workspace));
  }

  Status embed(const Weight& table, std::span<const std::int32_t> ids, Matrix out) const override {
    const auto& weight = static_cast<const PackedWeight&>(table);
    pool_->run(static_cast<std::int64_t>(ids.size()), [&](std::int64_t row, int) {
      weight.row(kernels_, ids[static_cast<std::size_t>(row)], out.row(row));
    });
    return {};
  }

  Status layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                    Matrix y) const override {
    each_row(x.rows, [&](std::int64_t row) {
      kernels_.layer_norm(x.row(row), weight, bias, eps, x.cols, y.row(row));
    });
    return {};
  }

  Status rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const override {
    each_row(x.rows, [&](std::int64_t row) {
      kernels_.rms_norm(x.row(row), weight, eps, x.cols, y.row(row));
    });
    return {};
  }

  Status add(ConstMatrix x, Matrix y) const override {
    each_row(x.rows, [&](std::int64_t row) { kernels_.add(x.row(row), x.cols, y.row(row)); });
    return {};
  }

  Status gated(Activation activation, Matrix gate, ConstMatrix up) const override {
    const Function function = function_of(activation);
    each_row(gate.rows, [&](std::int64_t row) {
      kernels_.gated(function, gate.row(row), up.row(row), gate.cols);
    });
    return {};
  }

  Status rope(Matrix x, std::int64_t heads, std::int64_t head_dim, ConstMatrix cos,
              ConstMatrix sin) const override {
    each_row(x.rows, [&](std::int64_t row) {
      for (std::int64_t head = 0; head < heads; ++head) {
        kernels_.rotate(x.row(row) + head * head_dim, cos.row(row), sin.row(row), cos.cols);
      }
    });
    return {};
  }

  Status attention(const AttentionShape& shape, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                   Matrix out, Workspace& workspace) const override {
    // A picture's keys and values go into blocks like a sequence's, so that one kernel serves both.
    KvGeometry geometry;
    geometry.layers = 1;
    geometry.kv_heads = shape.kv_heads;
    geometry.head_dim = shape.head_dim;
    geometry.block_tokens = kKvBlockTokens;
    auto& scratch = static_cast<CpuWorkspace&>(workspace);
    const KvLayout layout(geometry);
    const std::int64_t count = (q.rows + kKvBlockTokens - 1) / kKvBlockTokens;
    OCELLUS_ASSIGN_OR_RETURN(
        std::byte* const memory,
        scratch.take(CpuWorkspace::kKeys, static_cast<std::size_t>(count) * layout.block_bytes()));
    std::vector<std::byte*> blocks(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = memory + i * layout.block_bytes();
    const SequenceRows rows{0, q.rows, 0, blocks};
    OCELLUS_RETURN_IF_ERROR(kv_store(geometry, 0, {&rows, 1}, k, v));
    return attend(shape, layout, 0, {&rows, 1}, false, q, out, scratch);
  }

  Result<std::size_t> kv_block_bytes(const KvGeometry& geometry) const override {
    if (geometry.block_tokens != kKvBlockTokens ||
        (geometry.dtype != DType::kF32 && geometry.dtype != DType::kF16)) {
      return make_error(ErrorCode::kUnsupported,
                        "a KV cache of {} in blocks of {} tokens; expected f32 or f16 and {}",
                        tensor::dtype_name(geometry.dtype), geometry.block_tokens, kKvBlockTokens);
    }
    return KvLayout(geometry).block_bytes();
  }

  Status kv_store(const KvGeometry& geometry, std::int64_t layer,
                  std::span<const SequenceRows> sequences, ConstMatrix k,
                  ConstMatrix v) const override {
    const KvLayout layout(geometry);
    for (const SequenceRows& sequence : sequences) {
      // One key-value head per task: tasks then never write to one cache line.
      pool_->run(geometry.kv_heads,
                 [&](std::int64_t head, int) { layout.store(layer, head, sequence, k, v); });
    }
    return {};
  }

  Status causal_attention(const AttentionShape& shape, const KvGeometry& geometry,
                          std::int64_t layer, std::span<const SequenceRows> sequences,
                          ConstMatrix q, Matrix out, Workspace& workspace) const override {
    return attend(shape, KvLayout(geometry), layer, sequences, true, q, out,
                  static_cast<CpuWorkspace&>(workspace));
  }

 private:
  template <typename Body>
  void each_row(std::int64_t rows, Body&& body) const {
    pool_->run((rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::int64_t task, int) {
      const std::int64_t last = std::min(rows, (task + 1) * kRowsPerTask);
      for (std::int64_t row = task * kRowsPerTask; row < last; ++row) body(row);
    });
  }

  Status attend(const AttentionShape& shape, const KvLayout& layout, std::int64_t layer,
                std::span<const SequenceRows> sequences, bool causal, ConstMatrix q, Matrix out,
                CpuWorkspace& workspace) const {
    std::int64_t longest = 0;
    for (const SequenceRows& s : sequences) longest = std::max(longest, s.first_position + s.rows);
    const std::int64_t blocks = (longest + kKvBlockTokens - 1) / kKvBlockTokens;
    // For each thread: pointers to the blocks of one head, scores, one padded row of output.
    const std::size_t pointers = static_cast<std::size_t>(2 * blocks) * sizeof(void*);
    const std::size_t floats =
        static_cast<std::size_t>(blocks * kKvBlockTokens + layout.value_stride());
    const std::size_t each = (pointers + floats * sizeof(float) + 63) / 64 * 64;
    OCELLUS_ASSIGN_OR_RETURN(
        std::byte* const memory,
        workspace.take(CpuWorkspace::kScores, each * static_cast<std::size_t>(pool_->threads())));
    for (const SequenceRows& sequence : sequences) {
      const std::int64_t groups = (sequence.rows + kRowsPerTask - 1) / kRowsPerTask;
      pool_->run(shape.heads * groups, [&](std::int64_t task, int thread) {
        const std::int64_t head = task / groups, first = task % groups * kRowsPerTask;
        const std::int64_t kv_head = head / (shape.heads / shape.kv_heads);
        std::byte* const mine = memory + each * static_cast<std::size_t>(thread);
        auto** const keys = reinterpret_cast<const std::uint8_t**>(mine);
        auto** const values = keys + blocks;
        auto* const scores = reinterpret_cast<float*>(mine + pointers);
        const std::int64_t end = sequence.first_position + sequence.rows;
        for (std::int64_t b = 0; b * kKvBlockTokens < end; ++b) {
          const std::byte* const block = sequence.blocks[static_cast<std::size_t>(b)];
          keys[b] = reinterpret_cast<const std::uint8_t*>(layout.keys(block, layer, kv_head));
          values[b] = reinterpret_cast<const std::uint8_t*>(layout.values(block, layer, kv_head));
        }
        Attend args{};
        args.head_dim = static_cast<int>(shape.head_dim);
        args.scale = shape.scale;
        args.keys = keys;
        args.values = values;
        args.value_stride = static_cast<int>(layout.value_stride());
        args.element = layout.element();
        args.scores = scores;
        args.out = scores + blocks * kKvBlockTokens;
        for (std::int64_t i = first; i < std::min(sequence.rows, first + kRowsPerTask); ++i) {
          const std::int64_t row = sequence.first_row + i, position = sequence.first_position + i;
          args.q = q.row(row) + head * shape.head_dim;
          args.to = causal ? position + 1 : end;
          args.from = causal && shape.window > 0
                          ? std::max<std::int64_t>(0, position + 1 - shape.window)
                          : 0;
          kernels_.attend(args);
          std::memcpy(out.row(row) + head * shape.head_dim, args.out,
                      static_cast<std::size_t>(shape.head_dim) * sizeof(float));
        }
      });
    }
    return {};
  }

  const Kernels& kernels_;
  std::unique_ptr<ThreadPool> pool_;
};

const Kernels* choose(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return &scalar_kernels();
    case Isa::kAvx2:
      return avx2_kernels();
    case Isa::kAvx512:
      return avx512_kernels();
    case Isa::kAuto:
      break;
  }
  if (const Kernels* kernels = avx512_kernels()) return kernels;
  if (const Kernels* kernels = avx2_kernels()) return kernels;
  return &scalar_kernels();
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
  const Kernels* kernels = choose(options.isa);
  if (kernels == nullptr) {
    return make_error(ErrorCode::kUnsupported,
                      "this machine does not have the instruction set that was asked for");
  }
  OCELLUS_ASSIGN_OR_RETURN(auto pool, ThreadPool::create(threads));
  return std::make_shared<const CpuBackend>(*kernels, std::move(pool));
}

}  // namespace ocellus::compute::cpu
