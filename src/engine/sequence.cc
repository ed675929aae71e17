#include "engine/sequence.h"

namespace ocellus::engine {

Sequence::Sequence(std::int64_t number, SequenceRequest r, std::int32_t image_token,
                   std::vector<models::Position> positions, KvPool& pool)
    : id(number),
      request(std::move(r)),
      sampler(request.sampling, request.end_tokens, request.max_new_tokens),
      cache(pool),
      positions_(std::move(positions)) {
  for (const models::Segment& segment : request.prompt) {
    if (segment.image) {
      ids.insert(ids.end(), static_cast<std::size_t>(segment.rows), image_token);
    } else {
      ids.insert(ids.end(), segment.tokens.begin(), segment.tokens.end());
    }
  }
  prompt_length_ = std::ssize(ids);
}

std::vector<models::Position> Sequence::positions(std::int64_t first_slot,
                                                  std::int64_t rows) const {
  std::vector<models::Position> found;
  found.reserve(static_cast<std::size_t>(rows));
  for (std::int64_t slot = first_slot; slot < first_slot + rows; ++slot) {
    // Generated tokens follow one by one, on every axis.
    const std::int64_t known = std::min(slot, prompt_length_);
    models::Position p = positions_[static_cast<std::size_t>(known)];
    for (std::int32_t& axis : p) axis += static_cast<std::int32_t>(slot - known);
    found.push_back(p);
  }
  return found;
}

}  // namespace ocellus::engine
