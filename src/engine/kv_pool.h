// The memory of a model's key-value caches: blocks of 64 positions, handed out, shared, kept.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/aligned_buffer.h"
#include "compute/backend.h"
#include "engine/block_key.h"
#include "ocellus/error.h"

namespace ocellus::engine {

// A block and who uses it. Its pool's to change.
struct KvBlock {
  base::AlignedBuffer memory;
  std::size_t users = 0;
  std::optional<BlockKey> key = {};  // what it holds, where others may share it
  std::list<KvBlock>::iterator self = {};
};

// One thread. Blocks are allocated when first needed, up to `max_blocks`. One that nobody uses any
// more is kept with what it holds, where that has a key, for whoever has the same prefix; of those
// at most `max_kept`, and the least recently used goes first, also when no other block is left.
class KvPool {
 public:
  KvPool(compute::KvGeometry geometry, std::size_t block_bytes, std::size_t max_blocks,
         std::size_t max_kept = 0)
      : geometry_(geometry),
        block_bytes_(block_bytes),
        max_blocks_(max_blocks),
        max_kept_(max_kept) {}

  const compute::KvGeometry& geometry() const { return geometry_; }
  std::size_t blocks_for(std::int64_t positions) const {
    return static_cast<std::size_t>((positions + geometry_.block_tokens - 1) /
                                    geometry_.block_tokens);
  }
  std::size_t max_blocks() const { return max_blocks_; }
  std::size_t in_use() const { return used_.size(); }
  std::size_t kept() const { return kept_.size(); }

  // A block of unknown content with one user. kUnavailable when all are in use, kOutOfMemory.
  Result<KvBlock*> take();
  // The block with that content, with one user more; null: none.
  KvBlock* find(const BlockKey& key) noexcept;
  // Its rows are complete and will not be written again: it may be found from now on. Without
  // effect where another block is found by that key, or where no memory is left to note it.
  void publish(KvBlock& block, const BlockKey& key) noexcept;
  // One user less.
  void release(KvBlock& block) noexcept;

 private:
  using Blocks = std::list<KvBlock>;  // moving between lists takes no memory

  // The least recently used of the kept ones, with what it holds forgotten, is free.
  void forget_one() noexcept;

  compute::KvGeometry geometry_;
  std::size_t block_bytes_, max_blocks_, max_kept_;
  Blocks used_, free_, kept_;  // kept_: most recently used first
  std::unordered_map<BlockKey, KvBlock*, BlockKeyHash> by_key_;
};

// A sequence's blocks, in the order of its positions; released when it goes. The pool must outlive
// it.
class BlockTable {
 public:
  explicit BlockTable(KvPool& pool) : pool_(&pool) {}
  BlockTable(const BlockTable&) = delete;
  BlockTable& operator=(const BlockTable&) = delete;
  ~BlockTable() { truncate(0); }

  // Room for positions [0, positions).
  Status reserve(std::int64_t positions);
  // Adds blocks that hold `keys`, the first ones of them that the pool has. How many. They must not
  // be written.
  std::size_t share(std::span<const BlockKey> keys);
  // Block number `index` is complete: KvPool::publish().
  void publish(std::size_t index, const BlockKey& key) { pool_->publish(*owned_[index], key); }
  // Gives back all but the first `blocks`.
  void truncate(std::size_t blocks) noexcept;

  std::size_t size() const { return owned_.size(); }
  std::span<std::byte* const> blocks() const { return blocks_; }

 private:
  KvPool* pool_;
  std::vector<KvBlock*> owned_;
  std::vector<std::byte*> blocks_;  // their memory
};

}  // namespace ocellus::engine
