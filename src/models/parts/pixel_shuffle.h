// Squares of neighbouring patches become one row each.
// Reference: pixel_shuffle of transformers 5, models/idefics3/modeling_idefics3.py.
#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace ocellus::models {

// patches [side * side, width], line by line -> rows [(side / block)^2, width * block^2]: of each
// square its patches line by line. `block` divides `side`.
void pixel_shuffle(tensor::ConstMatrix patches, std::int64_t side, std::int64_t block,
                   tensor::Matrix rows);

}  // namespace ocellus::models
