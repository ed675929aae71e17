// Rows of activations in the order of the register tiles.
#pragma once

#include <cstdint>

namespace ocellus::compute::cpu {

#include "compute/cpu/gemm/interleave-inl.h"

// out[unit][r] = row r's unit of 4 bytes, for `rows` rows `stride` units apart.
template <typename Unit>
void interleave(const Unit* from, std::int64_t stride, int rows, std::int64_t units, Unit* out) {
  static_assert(sizeof(Unit) == kUnit);
  interleave_units(reinterpret_cast<const std::int8_t*>(from), stride * kUnit, rows, units,
                   reinterpret_cast<std::int8_t*>(out));
}

}  // namespace ocellus::compute::cpu
