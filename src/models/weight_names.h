// The three spellings of weight names in LLaVA checkpoints, and the one that we use inside.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ocellus::models {

// Canonical names: "tower.embeddings...", "tower.encoder.layers.0...", "projector.linear_1.weight",
// "language.layers.0...", "language.embed_tokens.weight", "language.norm.weight", "lm_head.weight".
// Understands what transformers up to 4.51, from 4.52 and 5.x wrote. Nothing for a name that
// belongs to no part of the model.
std::optional<std::string> canonical_weight_name(std::string_view name);

}  // namespace ocellus::models
