#include "compute/cpu/topology/peak_loops.h"

#include <immintrin.h>

namespace ocellus::compute::cpu {
namespace {

// A number of ordinary size as f32, as a pair of bf16 and as bytes: zeros might cost less power.
constexpr int kOperand = 0x3C013C01;

// The instructions themselves, written out: given intrinsics, a compiler may keep sums in memory,
// and leave out products that repeat themselves.
#define OCELLUS_PEAK_LOOP(name, ...)                         \
  void name(std::int64_t rounds) {                           \
    __m256i sums[kChains256];                                \
    for (__m256i & sum : sums) sum = _mm256_setzero_si256(); \
    const __m256i a = _mm256_set1_epi32(kOperand);           \
    for (std::int64_t round = 0; round < rounds; ++round) {  \
      _Pragma("GCC unroll 12") for (__m256i & sum : sums) {  \
        [[maybe_unused]] __m256i product;                    \
        __VA_ARGS__                                          \
      }                                                      \
    }                                                        \
  }

OCELLUS_PEAK_LOOP(run_f32, asm volatile("vfmadd231ps %1, %1, %0" : "+x"(sum) : "x"(a));)
// Two products of 8-bit numbers in one of 16 bits, as the tiles have them (int8.cc).
OCELLUS_PEAK_LOOP(run_int16, __m256i right;
                  asm volatile("vpaddw %3, %3, %1\n\tvpaddw %3, %3, %2\n\t"
                               "vpmaddwd %1, %2, %1\n\tvpaddd %1, %0, %0"
                               : "+x"(sum), "=&x"(product), "=&x"(right)
                               : "x"(a));)
// Products of 8-bit numbers, summed in pairs to 16 bits and again to 32. Only unsigned numbers
// below 128 are safe from overflow: what is exact for all is a little slower at best.
OCELLUS_PEAK_LOOP(run_int8,
                  asm volatile("vpmaddubsw %2, %2, %1\n\tvpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0"
                               : "+x"(sum), "=&x"(product)
                               : "x"(a));)
// Written with braces, which asm gives a meaning of its own: without them it would be EVEX.
OCELLUS_PEAK_LOOP(run_vnni, asm volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(sum) : "x"(a));)

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
      .int8 = {{run_int16, 2.0 * 32 * kChains256}, {run_int8, 2.0 * 32 * kChains256}},
      .read = read_memory};
  return loops;
}

const PeakLoop& avxvnni_peak_loop() {
  static constexpr PeakLoop loop{run_vnni, 2.0 * 32 * kChains256};
  return loop;
}

}  // namespace ocellus::compute::cpu
