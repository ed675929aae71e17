// The state that some models keep for a sequence beside its keys and values (gated delta nets).
#pragma once

#include <cstddef>
#include <span>

#include "base/aligned_buffer.h"
#include "ocellus/error.h"

namespace ocellus::engine {

// Keys and values of rows that turned out wrong are simply written over; a state has taken them in
// for good. So it is saved before a step and restored where the step does not count. One thread.
class RecurrentState {
 public:
  // All zero. Of 0 bytes: none, and everything below does nothing. kOutOfMemory.
  Status reserve(std::size_t bytes);

  std::span<std::byte> bytes() { return now_.bytes(); }
  bool empty() const { return now_.size() == 0; }

  void save();
  void restore();  // to the last save()

 private:
  base::AlignedBuffer now_, saved_;
};

}  // namespace ocellus::engine
