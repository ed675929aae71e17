#include "models/gguf_names.h"

#include <utility>

namespace ocellus::models {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

constexpr Pair kLanguage[] = {
    {"token_embd", "language.embed_tokens"},
    {"output_norm", "language.norm"},
    {"output", "lm_head"},
};
constexpr Pair kLanguageLayer[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};
constexpr Pair kTower[] = {
    {"v.patch_embd", "tower.embeddings.patch_embedding"},
    {"v.position_embd", "tower.embeddings.position_embedding"},
    {"v.pre_ln", "tower.pre_layrnorm"},
    {"v.post_ln", "tower.post_layernorm"},
    {"mm.0", "projector.linear_1"},
    {"mm.2", "projector.linear_2"},
};
constexpr Pair kTowerLayer[] = {
    {"attn_q", "self_attn.q_proj"}, {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"}, {"attn_out", "self_attn.out_proj"},
    {"ln1", "layer_norm1"},         {"ln2", "layer_norm2"},
};

template <std::size_t N>
std::optional<std::string_view> find(const Pair (&table)[N], std::string_view name) {
  for (const auto& [from, to] : table) {
    if (from == name) return to;
  }
  return std::nullopt;
}

template <std::size_t N>
std::optional<std::string_view> find_reverse(const Pair (&table)[N], std::string_view name) {
  for (const auto& [to, from] : table) {
    if (from == name) return to;
  }
  return std::nullopt;
}

// "NAME.weight" into NAME and ".weight".
std::pair<std::string_view, std::string_view> split(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::pair(name, std::string_view())
                                       : std::pair(name.substr(0, dot), name.substr(dot));
}

// After the layer's prefix: "12.attn_q" into "12." and "attn_q".
std::optional<std::pair<std::string_view, std::string_view>> layer_of(std::string_view stem,
                                                                      std::string_view prefix) {
  if (!stem.starts_with(prefix)) return std::nullopt;
  stem.remove_prefix(prefix.size());
  const std::size_t dot = stem.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return std::pair(stem.substr(0, dot + 1), stem.substr(dot + 1));
}

std::string joined(std::string_view a, std::string_view b, std::string_view c,
                   std::string_view d = {}) {
  return std::string(a).append(b).append(c).append(d);
}

}  // namespace

std::optional<std::string> canonical_language_name(std::string_view name) {
  const auto [stem, kind] = split(name);
  if (const auto layer = layer_of(stem, "blk.")) {
    const auto part = find(kLanguageLayer, layer->second);
    if (!part) return std::nullopt;
    return joined("language.layers.", layer->first, *part, kind);
  }
  const auto whole = find(kLanguage, stem);
  if (!whole) return std::nullopt;
  return joined(*whole, kind, "");
}

std::optional<std::string> canonical_tower_name(std::string_view name, bool swapped) {
  if (name == "v.class_embd") return "tower.embeddings.class_embedding";
  const auto [stem, kind] = split(name);
  if (const auto layer = layer_of(stem, "v.blk.")) {
    if (layer->second == "ffn_up" || layer->second == "ffn_down") {
      const bool first = (layer->second == "ffn_up") != swapped;
      return joined("tower.encoder.layers.", layer->first, first ? "mlp.fc1" : "mlp.fc2", kind);
    }
    const auto part = find(kTowerLayer, layer->second);
    if (!part) return std::nullopt;
    return joined("tower.encoder.layers.", layer->first, *part, kind);
  }
  const auto whole = find(kTower, stem);
  if (!whole) return std::nullopt;
  return joined(*whole, kind, "");
}

std::optional<std::string> gguf_language_name(std::string_view canonical) {
  const auto [stem, kind] = split(canonical);
  if (const auto layer = layer_of(stem, "language.layers.")) {
    const auto part = find_reverse(kLanguageLayer, layer->second);
    if (!part) return std::nullopt;
    return joined("blk.", layer->first, *part, kind);
  }
  const auto whole = find_reverse(kLanguage, stem);
  if (!whole) return std::nullopt;
  return joined(*whole, kind, "");
}

std::optional<std::string> gguf_tower_name(std::string_view canonical) {
  if (canonical == "tower.embeddings.class_embedding") return "v.class_embd";
  const auto [stem, kind] = split(canonical);
  if (const auto layer = layer_of(stem, "tower.encoder.layers.")) {
    if (layer->second == "mlp.fc1") return joined("v.blk.", layer->first, "ffn_up", kind);
    if (layer->second == "mlp.fc2") return joined("v.blk.", layer->first, "ffn_down", kind);
    const auto part = find_reverse(kTowerLayer, layer->second);
    if (!part) return std::nullopt;
    return joined("v.blk.", layer->first, *part, kind);
  }
  const auto whole = find_reverse(kTower, stem);
  if (!whole) return std::nullopt;
  return joined(*whole, kind, "");
}

}  // namespace ocellus::models
