// A backend that measures another one: time, arithmetic and bytes of each operation.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "compute/backend.h"

namespace ocellus::compute {

enum class OpKind : std::uint8_t {
  kLinear,
  kEmbed,
  kLayerNorm,
  kRmsNorm,
  kRope,
  kGate,
  kDeltaNet,
  kAttention,
  kKvStore,
  kCausalAttention,
};

std::string_view op_name(OpKind kind);  // "linear", "rms_norm" ...

// Calls of one kind with one shape, summed up. For linear layers the shape is the weight's; for
// several that are called together, the outputs of all of them.
struct OpProfile {
  OpKind kind = OpKind::kLinear;
  // Of the weight or the cache; where there is neither, what is multiplied, f32 or bf16.
  DType dtype = DType::kF32;
  std::int64_t out = 0, in = 0;  // of the weight; otherwise the width of a row and 0
  // That the weight was made for, or that most of the attention is to have.
  Arithmetic arithmetic = Arithmetic::kF32;
  std::int64_t calls = 0, rows = 0;
  double seconds = 0;
  double flops = 0;  // of linear layers and attention; 0 for the others
  double bytes = 0;  // of weights (each call reads all of it once) or cached keys and values
};

// Passes every call to `inner`. `inner` must outlive it; weights and workspaces are the inner
// backend's. Any thread, as for every backend: entries of all callers are summed up. Costs two
// readings of the clock and a short search for each operation.
class ProfilingBackend final : public Backend {
 public:
  explicit ProfilingBackend(const Backend& inner) : inner_(inner) {}

  void clear();
  // In the order in which they first came since clear().
  std::vector<OpProfile> profile() const;

  std::string describe() const override { return inner_.describe(); }
  bool multiplies_bf16() const override { return inner_.multiplies_bf16(); }
  std::unique_ptr<Workspace> make_workspace() const override { return inner_.make_workspace(); }
  Result<std::unique_ptr<Weight>> make_weight(const tensor::TensorView& source,
                                              WeightFormat format) const override;
  std::string weight_layout() const override { return inner_.weight_layout(); }
  Result<std::unique_ptr<Weight>> map_weight(const PackedWeightView& image,
                                             std::shared_ptr<const void> owner) const override;
  Result<std::size_t> kv_block_bytes(const KvGeometry& geometry) const override {
    return inner_.kv_block_bytes(geometry);
  }

  using Backend::linear;
  Status linear(ConstMatrix x, std::int64_t decode_rows, std::span<const LinearCall> calls,
                Workspace& workspace) const override;
  Status embed(const Weight& table, std::span<const std::int32_t> ids, Matrix out) const override;
  Status layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps,
                    Matrix y) const override;
  Status rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const override;
  Status rope(Matrix x, std::int64_t heads, std::int64_t head_dim, ConstMatrix cos,
              ConstMatrix sin) const override;
  Status gate(Matrix x, ConstMatrix gates) const override;
  Status gated_delta_net(const DeltaNetCall& call) const override;
  Status attention(const AttentionShape& shape, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                   Matrix out, Workspace& workspace) const override;
  Status kv_store(const KvLayer& cache, std::span<const SequenceRows> sequences, ConstMatrix k,
                  ConstMatrix v) const override;
  Status causal_attention(const AttentionShape& shape, const KvLayer& cache,
                          std::span<const SequenceRows> sequences, ConstMatrix q, Matrix out,
                          Workspace& workspace) const override;

 private:
  // Notes what the weight was made for.
  Result<std::unique_ptr<Weight>> remember(Result<std::unique_ptr<Weight>> weight,
                                           Arithmetic arithmetic) const;
  // Runs `call` and adds its time to the entry of `op`, whose sums are those of this one call.
  template <typename Call>
  Status timed(OpProfile op, Call&& call) const;

  const Backend& inner_;
  mutable std::mutex mutex_;
  mutable std::vector<OpProfile> entries_;
  // Of those made here. An address that is used again is said anew.
  mutable std::unordered_set<const Weight*> fast_;
};

}  // namespace ocellus::compute
