#include "models/weight_names.h"

namespace ocellus::models {
namespace {

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<std::string> canonical_weight_name(std::string_view name) {
  take_prefix(name, "model.");  // 4.52 on: everything but the head is below the inner model
  if (take_prefix(name, "vision_tower.")) {
    take_prefix(name, "vision_model.");
    return "tower." + std::string(name);
  }
  if (take_prefix(name, "multi_modal_projector.")) return "projector." + std::string(name);
  if (take_prefix(name, "language_model.")) {
    if (name == "lm_head.weight") return std::string(name);
    take_prefix(name, "model.");
    return "language." + std::string(name);
  }
  if (name == "lm_head.weight") return std::string(name);
  return std::nullopt;
}

}  // namespace ocellus::models
