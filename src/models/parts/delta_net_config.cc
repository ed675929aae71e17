#include "models/parts/delta_net_config.h"

#include <fmt/format.h>

#include "formats/limits.h"

namespace ocellus::models {

void read_delta_net_config(formats::ConfigReader& r, DecoderConfig& c) {
  using formats::kMaxHeads, formats::kMaxHidden;
  const std::vector<std::string> types = r.texts("layer_types");
  const std::int64_t interval = r.integer("full_attention_interval", 4, 1, formats::kMaxLayers);
  for (std::int64_t i = 0; i < c.layers; ++i)
    c.linear_layers.push_back(types.empty()
                                  ? (i + 1) % interval != 0
                                  : static_cast<std::size_t>(i) < types.size() &&
                                        types[static_cast<std::size_t>(i)] == "linear_attention");
  for (const std::string& type : types) {
    if (type == "linear_attention" || type == "full_attention") continue;
    r.fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: layer_types: expected linear_attention and full_attention, found \"{}\"",
                    r.where(), type));
  }
  if (!types.empty() && std::ssize(types) != c.layers) {
    r.fail(ErrorCode::kBadModel, fmt::format("{}: layer_types: expected {} of them, found {}",
                                             r.where(), c.layers, types.size()));
  }
  constexpr std::int64_t kMaxKernel = 8;
  compute::DeltaNetShape& s = c.delta;
  s.kernel = r.integer("linear_conv_kernel_dim", 4, 2, kMaxKernel);
  s.k_dim = r.integer("linear_key_head_dim", 128, 1, kMaxHidden);
  s.v_dim = r.integer("linear_value_head_dim", 128, 1, kMaxHidden);
  s.k_heads = r.integer("linear_num_key_heads", 16, 1, kMaxHeads);
  s.v_heads = r.integer("linear_num_value_heads", 32, 1, kMaxHeads);
  s.eps = static_cast<float>(c.rms_norm_eps);
  if (s.v_heads % s.k_heads != 0 || s.k_size() > kMaxHidden || s.v_size() > kMaxHidden) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: linear_num_value_heads: expected a multiple of the {} key heads, and "
                       "sizes of at most {}, found {} heads of {} and {}",
                       r.where(), s.k_heads, kMaxHidden, s.v_heads, s.k_dim, s.v_dim));
  }
}

}  // namespace ocellus::models
