// The memory of a model's key-value caches: blocks of 64 positions, handed out and taken back.
#pragma once

#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "compute/backend.h"
#include "ocellus/error.h"

namespace ocellus::engine {

// One thread. Blocks are allocated when first needed, up to `max_blocks`, and kept for the next
// sequence.
class KvPool {
 public:
  KvPool(compute::KvGeometry geometry, std::size_t block_bytes, std::size_t max_blocks)
      : geometry_(geometry), block_bytes_(block_bytes), max_blocks_(max_blocks) {}

  const compute::KvGeometry& geometry() const { return geometry_; }
  std::size_t blocks_for(std::int64_t positions) const {
    return static_cast<std::size_t>((positions + geometry_.block_tokens - 1) /
                                    geometry_.block_tokens);
  }
  std::size_t max_blocks() const { return max_blocks_; }
  std::size_t in_use() const { return allocated_.size() - free_.size(); }

  // kUnavailable when all are in use, kOutOfMemory.
  Result<std::byte*> take();
  void give_back(std::byte* block) { free_.push_back(block); }

 private:
  compute::KvGeometry geometry_;
  std::size_t block_bytes_, max_blocks_;
  std::vector<base::AlignedBuffer> allocated_;
  std::vector<std::byte*> free_;
};

// A sequence's blocks, in the order of its positions; given back when it goes. The pool must
// outlive it.
class BlockTable {
 public:
  explicit BlockTable(KvPool& pool) : pool_(&pool) {}
  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;
  ~BlockTable();

  // Room for positions [0, positions).
  Status reserve(std::int64_t positions);
  std::span<std::byte* const> blocks() const { return blocks_; }

 private:
  KvPool* pool_;
  std::vector<std::byte*> blocks_;
};

}  // namespace ocellus::engine
