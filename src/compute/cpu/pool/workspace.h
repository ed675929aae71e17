// Scratch memory of the CPU backend.
#pragma once

#include <array>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "compute/backend.h"

namespace ocellus::compute::cpu {

class CpuWorkspace final : public Workspace {
 public:
  // What lives at the same time has a slot of its own.
  enum Slot { kActivations, kTiles, kGate, kKeys, kScores, kPartials, kSlots };

  // At least `bytes` of 64-byte aligned memory, contents undefined; valid until the slot is taken
  // again. kOutOfMemory.
  Result<std::byte*> take(Slot slot, std::size_t bytes) {
    base::AlignedBuffer& buffer = slots_[slot];
    if (buffer.size() < bytes) {
      buffer = {};
      OCELLUS_ASSIGN_OR_RETURN(buffer, base::AlignedBuffer::make(bytes));
    }
    return buffer.data();
  }

  std::size_t bytes() const override {
    std::size_t sum = 0;
    for (const base::AlignedBuffer& buffer : slots_) sum += buffer.size();
    return sum;
  }

 private:
  std::array<base::AlignedBuffer, kSlots> slots_;
};

}  // namespace ocellus::compute::cpu
