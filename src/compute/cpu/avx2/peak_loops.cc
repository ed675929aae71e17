#include "compute/cpu/peak_loops.h"

#include <immintrin.h>

namespace ocellus::compute::cpu {
namespace {

// An instruction that the compiler cannot see into: neither rounds nor products that repeat
// themselves are left out, and the values stay in their registers.
#define OCELLUS_KEEP(value) asm volatile("" : "+x"(value))

void run_f32(std::int64_t rounds) {
  __m256 sums[kChains256];
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  __m256 a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  for (std::int64_t round = 0; round < rounds; ++round) {
    OCELLUS_KEEP(a);
    OCELLUS_KEEP(b);
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(a, b, sum);
  }
#pragma GCC unroll 12
  for (__m256& sum : sums) OCELLUS_KEEP(sum);
}

// Products of 16-bit numbers: 8-bit operands widened first, which costs nothing where it is done
// once for many rows.
void run_int16(std::int64_t rounds) {
  __m256i sums[kChains256];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  __m256i a = _mm256_set1_epi16(3), b = _mm256_set1_epi16(-5);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) {
      OCELLUS_KEEP(a);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
    }
  }
#pragma GCC unroll 12
  for (__m256i& sum : sums) OCELLUS_KEEP(sum);
}

// Products of 8-bit numbers, summed in pairs to 16 bits and again to 32.
void run_int8(std::int64_t rounds) {
  __m256i sums[kChains256];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-5);
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (__m256i& sum : sums) {
      OCELLUS_KEEP(a);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
    }
  }
#pragma GCC unroll 12
  for (__m256i& sum : sums) OCELLUS_KEEP(sum);
}

std::uint64_t read_memory(const std::byte* memory, std::size_t bytes) {
  __m256i sums[8];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i < bytes; i += 256) {
#pragma GCC unroll 8
    for (std::size_t part = 0; part < 8; ++part) {
      const auto* at = reinterpret_cast<const __m256i*>(memory + i + 32 * part);
      sums[part] = _mm256_xor_si256(sums[part], _mm256_load_si256(at));
    }
  }
  __m256i all = sums[0];
  for (int part = 1; part < 8; ++part) all = _mm256_xor_si256(all, sums[part]);
  return static_cast<std::uint64_t>(_mm256_extract_epi64(all, 0) ^ _mm256_extract_epi64(all, 1) ^
                                    _mm256_extract_epi64(all, 2) ^ _mm256_extract_epi64(all, 3));
}

}  // namespace

const PeakLoops& avx2_peak_loops() {
  static constexpr PeakLoops loops{
      .f32 = {run_f32, 2.0 * 8 * kChains256},
      .bf16 = {},
      .int8 = {{run_int16, 2.0 * 16 * kChains256}, {run_int8, 2.0 * 32 * kChains256}},
      .read = read_memory};
  return loops;
}

}  // namespace ocellus::compute::cpu
