#include "compute/profiling_backend.h"

#include <algorithm>
#include <chrono>

namespace ocellus::compute {
namespace {

using Clock = std::chrono::steady_clock;

OpProfile op(OpKind kind, std::int64_t rows, std::int64_t width) {
  return {.kind = kind, .out = width, .calls = 1, .rows = rows};
}

// A product with a key and one with a value for each query head and pair of positions.
double attention_flops(const AttentionShape& shape, double pairs) {
  return 4.0 * static_cast<double>(shape.heads * shape.head_dim) * pairs;
}

}  // namespace

std::string_view op_name(OpKind kind) {
  switch (kind) {
    case OpKind::kLinear:
      return "linear";
    case OpKind::kEmbed:
      return "embed";
    case OpKind::kLayerNorm:
      return "layer_norm";
    case OpKind::kRmsNorm:
      return "rms_norm";
    case OpKind::kRope:
      return "rope";
    case OpKind::kGate:
      return "gate";
    case OpKind::kDeltaNet:
      return "delta_net";
    case OpKind::kAttention:
      return "attention";
    case OpKind::kKvStore:
      return "kv_store";
    case OpKind::kCausalAttention:
      return "causal_attention";
  }
  return "";
}

void ProfilingBackend::clear() {
  const std::lock_guard lock(mutex_);
  entries_.clear();
}

std::vector<OpProfile> ProfilingBackend::profile() const {
  const std::lock_guard lock(mutex_);
  return entries_;
}

template <typename Call>
Status ProfilingBackend::timed(OpProfile op, Call&& call) const {
  const auto begin = Clock::now();
  Status status = call();
  op.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  const std::lock_guard lock(mutex_);
  const auto same = std::ranges::find_if(entries_, [&](const OpProfile& e) {
    return e.kind == op.kind && e.dtype == op.dtype && e.arithmetic == op.arithmetic &&
           e.out == op.out && e.in == op.in;
  });
  if (same == entries_.end()) {
    entries_.push_back(op);
    return status;
  }
  same->calls += op.calls;
  same->rows += op.rows;
  same->seconds += op.seconds;
  same->flops += op.flops;
  same->bytes += op.bytes;
  return status;
}

Result<std::unique_ptr<Weight>> ProfilingBackend::make_weight(const tensor::TensorView& source,
                                                              WeightFormat format) const {
  return remember(inner_.make_weight(source, format), format.arithmetic);
}

Result<std::unique_ptr<Weight>> ProfilingBackend::map_weight(
    const PackedWeightView& image, std::shared_ptr<const void> owner) const {
  return remember(inner_.map_weight(image, std::move(owner)), image.format.arithmetic);
}

Result<std::unique_ptr<Weight>> ProfilingBackend::remember(Result<std::unique_ptr<Weight>> weight,
                                                           Arithmetic arithmetic) const {
  if (!weight) return weight;
  const std::lock_guard lock(mutex_);
  if (arithmetic == Arithmetic::kReducedPrecision) {
    fast_.insert(weight->get());
  } else {
    fast_.erase(weight->get());
  }
  return weight;
}

Status ProfilingBackend::linear(ConstMatrix x, std::int64_t decode_rows,
                                std::span<const LinearCall> calls, Workspace& workspace) const {
  OpProfile one = op(OpKind::kLinear, x.rows, 0);
  one.in = x.cols;
  const auto add = [&](const Weight* weight) {
    if (weight == nullptr) return;
    one.out += weight->out();
    one.flops +=
        2.0 * static_cast<double>(x.rows) * static_cast<double>(weight->out() * weight->in());
    one.bytes += static_cast<double>(weight->bytes());
  };
  for (const LinearCall& call : calls) {
    add(call.weight);
    add(call.gate);
  }
  if (!calls.empty()) {
    one.dtype = calls[0].weight->dtype();
    const std::lock_guard lock(mutex_);
    one.arithmetic =
        fast_.contains(calls[0].weight) ? Arithmetic::kReducedPrecision : Arithmetic::kF32;
  }
  return timed(one, [&] { return inner_.linear(x, decode_rows, calls, workspace); });
}

Status ProfilingBackend::embed(const Weight& table, std::span<const std::int32_t> ids,
                               Matrix out) const {
  OpProfile one = op(OpKind::kEmbed, static_cast<std::int64_t>(ids.size()), out.cols);
  one.dtype = table.dtype();
  return timed(one, [&] { return inner_.embed(table, ids, out); });
}

Status ProfilingBackend::layer_norm(ConstMatrix x, const float* weight, const float* bias,
                                    float eps, Matrix y) const {
  return timed(op(OpKind::kLayerNorm, x.rows, x.cols),
               [&] { return inner_.layer_norm(x, weight, bias, eps, y); });
}

Status ProfilingBackend::rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) const {
  return timed(op(OpKind::kRmsNorm, x.rows, x.cols),
               [&] { return inner_.rms_norm(x, weight, eps, y); });
}

Status ProfilingBackend::rope(Matrix x, std::int64_t heads, std::int64_t head_dim, ConstMatrix cos,
                              ConstMatrix sin) const {
  return timed(op(OpKind::kRope, x.rows, x.cols),
               [&] { return inner_.rope(x, heads, head_dim, cos, sin); });
}

Status ProfilingBackend::gate(Matrix x, ConstMatrix gates) const {
  return timed(op(OpKind::kGate, x.rows, x.cols), [&] { return inner_.gate(x, gates); });
}

Status ProfilingBackend::gated_delta_net(const DeltaNetCall& call) const {
  return timed(op(OpKind::kDeltaNet, call.out.rows, call.out.cols),
               [&] { return inner_.gated_delta_net(call); });
}

Status ProfilingBackend::attention(const AttentionShape& shape, ConstMatrix q, ConstMatrix k,
                                   ConstMatrix v, Matrix out, Workspace& workspace) const {
  OpProfile one = op(OpKind::kAttention, q.rows, q.cols);
  one.arithmetic = shape.arithmetic;
  if (shape.arithmetic == Arithmetic::kReducedPrecision && multiplies_bf16())
    one.dtype = DType::kBF16;
  one.flops = attention_flops(shape, static_cast<double>(q.rows) * static_cast<double>(k.rows));
  return timed(one, [&] { return inner_.attention(shape, q, k, v, out, workspace); });
}

Status ProfilingBackend::kv_store(const KvLayer& cache, std::span<const SequenceRows> sequences,
                                  ConstMatrix k, ConstMatrix v) const {
  OpProfile one = op(OpKind::kKvStore, k.rows, k.cols);
  one.dtype = cache.geometry.dtype;
  return timed(one, [&] { return inner_.kv_store(cache, sequences, k, v); });
}

Status ProfilingBackend::causal_attention(const AttentionShape& shape, const KvLayer& cache,
                                          std::span<const SequenceRows> sequences, ConstMatrix q,
                                          Matrix out, Workspace& workspace) const {
  OpProfile one = op(OpKind::kCausalAttention, q.rows, q.cols);
  one.dtype = cache.geometry.dtype;
  // Of one layer, as the backend keeps it.
  const double position_bytes =
      static_cast<double>(inner_.kv_block_bytes(cache.geometry).value_or(0)) /
      static_cast<double>(cache.geometry.layers * cache.geometry.block_tokens);
  double pairs = 0, exact = 0;
  for (const SequenceRows& s : sequences) {
    const double before = pairs;
    for (std::int64_t i = 0; i < s.rows; ++i) {
      const SlotRange seen = seen_slots(shape, s, i);
      pairs += static_cast<double>(seen.end - seen.begin);
    }
    if (s.decode) exact += pairs - before;
    const std::int64_t end = s.first_slot + s.rows;
    const std::int64_t kept = shape.window > 0 ? std::min(end, shape.window + s.rows - 1) : end;
    one.bytes += position_bytes * static_cast<double>(kept);
  }
  one.flops = attention_flops(shape, pairs);
  if (shape.arithmetic == Arithmetic::kReducedPrecision && 2 * exact < pairs)
    one.arithmetic = Arithmetic::kReducedPrecision;
  return timed(one,
               [&] { return inner_.causal_attention(shape, cache, sequences, q, out, workspace); });
}

}  // namespace ocellus::compute
