// The names of GGUF's tensors in our own terms (weight_names.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ocellus::models {

// Of a language model's file: "blk.0.attn_q.weight" -> "language.layers.0.self_attn.q_proj.weight".
std::optional<std::string> canonical_language_name(std::string_view name);

// Of a tower's file. Older converters wrote a layer's two matrices under each other's name:
// `swapped` says that this file is one of theirs.
std::optional<std::string> canonical_tower_name(std::string_view name, bool swapped);

// The way back, as converters write the names today.
std::optional<std::string> gguf_language_name(std::string_view canonical);
std::optional<std::string> gguf_tower_name(std::string_view canonical);

}  // namespace ocellus::models
