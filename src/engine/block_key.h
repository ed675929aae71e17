// What a block of keys and values holds, as a hash: two prompts that agree up to the end of a block
// have the same key for it, and its rows are the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/sha256.h"
#include "models/family.h"

namespace ocellus::engine {

// SHA-256 over the key of the block before and over everything that the rows depend on: token ids,
// contents of images, positions. So a key stands for the whole prefix. A collision would answer
// from somebody else's prompt; hence a cryptographic hash.
using BlockKey = base::Sha256;

struct BlockKeyHash {
  std::size_t operator()(const BlockKey& key) const noexcept {
    std::size_t hash;
    std::memcpy(&hash, key.data(), sizeof(hash));
    return hash;
  }
};

// The keys of the blocks of `block_tokens` slots that the prompt fills, in order; none from the
// first image on that has no Segment::content. `positions`: one for each slot.
std::vector<BlockKey> block_keys(std::span<const models::Segment> prompt,
                                 std::span<const models::Position> positions,
                                 std::int64_t block_tokens);

}  // namespace ocellus::engine
