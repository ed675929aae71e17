// What the machine can do: the limits beside which every measured figure is put.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "compute/cpu/cpu_backend.h"
#include "ocellus/error.h"

namespace ocellus::compute::cpu {

// One thread alone, and all threads together. 0: the machine, or the instruction set chosen, has no
// such instruction.
struct Rate {
  double one = 0, all = 0;
};

// Arithmetic in 10^9 operations a second, a multiply-add being two: f32 multiply-adds; products of
// bf16 pairs (vdpbf16ps); products of 8-bit integers (vpdpbusd, or AVX2's vpmaddwd or vpmaddubsw
// with what goes with them, the faster one). Reading in 10^9 bytes a second, from memory much
// larger than the caches, each thread one forward stream: in huge pages, as weights lie, and in
// small ones.
struct Peaks {
  Rate f32, bf16, int8, read, read_small_pages;
};

// The better of each figure. Shared and virtual machines drift by the minute, and never above what
// the hardware can do: so a result's limit is the better of what was measured just before and just
// after it.
Peaks better_of(const Peaks& a, const Peaks& b);

// Measures with threads of its own, asleep between measurements, and keeps the memory that is read.
// One thread at a time.
class PeakMeter {
 public:
  // The instruction set and threads that a backend made with `options` has. Reads `bytes` of
  // memory, rounded up to whole huge pages. kInvalidArgument, kUnsupported, kUnavailable.
  static Result<std::unique_ptr<PeakMeter>> create(const CpuOptions& options, std::size_t bytes);
  virtual ~PeakMeter() = default;

  // Everything; each figure is the best of several runs within `seconds`. kOutOfMemory.
  virtual Result<Peaks> measure(double seconds) = 0;
  // The figures that results are held against, all threads together; the others are left 0.
  // kOutOfMemory.
  virtual Result<Peaks> measure_again(double seconds) = 0;
  // Memory that it holds from the first measurement on, to be told apart from a process's own.
  virtual std::size_t bytes() const = 0;
};

}  // namespace ocellus::compute::cpu
