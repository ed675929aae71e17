// Qwen-VL models of well-known sizes, for random weights.
#pragma once

#include <span>

#include "models/families.h"

namespace ocellus::models {

std::span<const RandomModel> qwen_vl_random_models();

}  // namespace ocellus::models
