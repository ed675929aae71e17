#include "compute/cpu/peak_loops.h"

#include <immintrin.h>

namespace ocellus::compute::cpu {
namespace {

// After every round the sums are used by an instruction that the compiler cannot see into, so that
// it neither drops nor combines rounds; they stay in their registers.
#define OCELLUS_KEEP(value) asm volatile("" : "+v"(value))

void run_f32(std::int64_t rounds) {
  __m512 sums[kChains512];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  for (std::int64_t round = 0; round < rounds; ++round) {
    OCELLUS_KEEP(a);
    OCELLUS_KEEP(b);
#pragma GCC unroll 24
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(a, b, sum);
  }
#pragma GCC unroll 24
  for (__m512& sum : sums) OCELLUS_KEEP(sum);
}

void run_bf16(std::int64_t rounds) {
  __m512 sums[kChains512];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  __m512 a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  for (std::int64_t round = 0; round < rounds; ++round) {
    OCELLUS_KEEP(a);
    OCELLUS_KEEP(b);
#pragma GCC unroll 24
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b);
  }
#pragma GCC unroll 24
  for (__m512& sum : sums) OCELLUS_KEEP(sum);
}

void run_int8(std::int64_t rounds) {
  __m512i sums[kChains512];
  for (__m512i& sum : sums) sum = _mm512_setzero_si512();
  __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-5);
  for (std::int64_t round = 0; round < rounds; ++round) {
    OCELLUS_KEEP(a);
    OCELLUS_KEEP(b);
#pragma GCC unroll 24
    for (__m512i& sum : sums) sum = _mm512_dpbusd_epi32(sum, a, b);
  }
#pragma GCC unroll 24
  for (__m512i& sum : sums) OCELLUS_KEEP(sum);
}

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
