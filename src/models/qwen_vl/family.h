// Qwen2-VL, Qwen2.5-VL and Qwen3-VL. Papers: arXiv:2409.12191,
// 2502.13923. Reference: transformers, models/{qwen2_vl,qwen2_5_vl,qwen3_vl}/.
#pragma once

#include "models/families.h"

namespace ocellus::models {

extern const Family kQwenVl;

}  // namespace ocellus::models
