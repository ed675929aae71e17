// Loops that do nothing but the one instruction whose rate is the machine's limit: operands stay in
// registers, and there are enough independent sums to hide the instruction's latency.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ocellus::compute::cpu {

// Independent sums: a latency of four or five cycles times two instructions a cycle, and some.
// AVX2's sixteen registers leave room for twelve.
inline constexpr int kChains512 = 24;
inline constexpr int kChains256 = 12;

struct PeakLoop {
  void (*run)(std::int64_t rounds) = nullptr;  // null: not for this instruction set
  double operations = 0;                       // of one round; a multiply-add is two
};

// One instruction set's loops. Any thread; pure functions of registers and of the memory given.
struct PeakLoops {
  PeakLoop f32, bf16;
  PeakLoop int8[2];  // the faster one is the limit
  // Reads `bytes` (a multiple of 1024, 64-byte aligned) once, forwards; the result only keeps the
  // compiler from leaving it out.
  std::uint64_t (*read)(const std::byte* memory, std::size_t bytes) = nullptr;
};

// Not checked against the machine: the caller asks first (peaks.cc).
const PeakLoops& portable_peak_loops();
const PeakLoops& avx2_peak_loops();
const PeakLoops& avx512_peak_loops();     // f32 and read: has_avx512()
const PeakLoop& avx512_bf16_peak_loop();  // vdpbf16ps
const PeakLoop& avx512_vnni_peak_loop();  // vpdpbusd
const PeakLoop& avxvnni_peak_loop();      // the same in 256 bits, VEX

}  // namespace ocellus::compute::cpu
