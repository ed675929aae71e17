#include "compute/cpu/topology/peak_loops.h"

#include <cstring>

namespace ocellus::compute::cpu {
namespace {

constexpr int kChains = 12;
// What every machine's compiler has without flags: four lanes, a product and a sum apart.
using Lanes = float __attribute__((vector_size(16)));

// A place that the compiler cannot see through, on any machine.
template <typename T>
void keep(T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

void run_f32(std::int64_t rounds) {
  Lanes sums[kChains] = {};
  Lanes a = {0.5f, 0.5f, 0.5f, 0.5f}, b = {0.25f, 0.25f, 0.25f, 0.25f};
  for (std::int64_t round = 0; round < rounds; ++round) {
    keep(a);
    for (int repeat = 0; repeat < 8; ++repeat) {
#pragma GCC unroll 12
      for (Lanes& sum : sums) sum = sum * a + b;
    }
  }
  keep(sums);
}

std::uint64_t read_memory(const std::byte* memory, std::size_t bytes) {
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i < bytes; i += 64) {
    std::uint64_t words[8];
    std::memcpy(words, memory + i, sizeof(words));
    for (int lane = 0; lane < 8; ++lane) sums[lane] ^= words[lane];
  }
  for (int lane = 1; lane < 8; ++lane) sums[0] ^= sums[lane];
  return sums[0];
}

}  // namespace

const PeakLoops& portable_peak_loops() {
  static constexpr PeakLoops loops{
      .f32 = {run_f32, 2.0 * 4 * kChains * 8}, .bf16 = {}, .int8 = {}, .read = read_memory};
  return loops;
}

}  // namespace ocellus::compute::cpu
