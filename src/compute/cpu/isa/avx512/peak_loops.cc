#include "compute/cpu/topology/peak_loops.h"

#include <immintrin.h>

namespace ocellus::compute::cpu {
namespace {

// A number of ordinary size as f32, as a pair of bf16 and as bytes: zeros might cost less power.
constexpr int kOperand = 0x3C013C01;

// The instruction itself, written out: given intrinsics, GCC 12 keeps some of the sums in memory,
// and it may leave out rounds that repeat themselves.
#define OCELLUS_PEAK_LOOP(name, instruction)                          \
  void name(std::int64_t rounds) {                                    \
    __m512i sums[kChains512];                                         \
    for (__m512i & sum : sums) sum = _mm512_setzero_si512();          \
    const __m512i a = _mm512_set1_epi32(kOperand);                    \
    for (std::int64_t round = 0; round < rounds; ++round) {           \
      _Pragma("GCC unroll 24") for (__m512i & sum : sums) {           \
        asm volatile(instruction " %1, %1, %0" : "+v"(sum) : "v"(a)); \
      }                                                               \
    }                                                                 \
  }

OCELLUS_PEAK_LOOP(run_f32, "vfmadd231ps")
OCELLUS_PEAK_LOOP(run_bf16, "vdpbf16ps")
OCELLUS_PEAK_LOOP(run_int8, "vpdpbusd")

std::uint64_t read_memory(const std::byte* memory, std::size_t bytes) {
  __m512i sums[8];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  for (std::size_t i = 0; i < bytes; i += 512) {
#pragma GCC unroll 8
    for (std::size_t line = 0; line < 8; ++line) {
      sums[line] = _mm512_xor_si512(sums[line], _mm512_load_si512(memory + i + 64 * line));
    }
  }
  __m512i all = sums[0];
  for (int line = 1; line < 8; ++line) all = _mm512_xor_si512(all, sums[line]);
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(all));
}

}  // namespace

const PeakLoops& avx512_peak_loops() {
  static constexpr PeakLoops loops{
      .f32 = {run_f32, 2.0 * 16 * kChains512}, .bf16 = {}, .int8 = {}, .read = read_memory};
  return loops;
}

const PeakLoop& avx512_bf16_peak_loop() {
  static constexpr PeakLoop loop{run_bf16, 2.0 * 32 * kChains512};
  return loop;
}

const PeakLoop& avx512_vnni_peak_loop() {
  static constexpr PeakLoop loop{run_int8, 2.0 * 64 * kChains512};
  return loop;
}

}  // namespace ocellus::compute::cpu
