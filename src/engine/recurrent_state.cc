#include "engine/recurrent_state.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::engine {

Status RecurrentState::reserve(std::size_t bytes) {
  if (bytes == 0) return {};
  OCELLUS_ASSIGN_OR_RETURN(now_, base::AlignedBuffer::make(bytes));
  OCELLUS_ASSIGN_OR_RETURN(saved_, base::AlignedBuffer::make(bytes));
  std::ranges::fill(now_.bytes(), std::byte{0});
  save();
  return {};
}

void RecurrentState::save() { std::ranges::copy(now_.bytes(), saved_.bytes().begin()); }

void RecurrentState::restore() { std::ranges::copy(saved_.bytes(), now_.bytes().begin()); }

}  // namespace ocellus::engine
