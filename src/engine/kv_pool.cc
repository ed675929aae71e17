#include "engine/kv_pool.h"

#include <new>

#include "base/result.h"

namespace ocellus::engine {

void KvPool::forget_one() noexcept {
  KvBlock& block = kept_.back();
  by_key_.erase(*block.key);
  block.key.reset();
  free_.splice(free_.begin(), kept_, block.self);
}

Result<KvBlock*> KvPool::take() {
  const auto allocated = used_.size() + free_.size() + kept_.size();
  if (free_.empty() && allocated < max_blocks_) {
    auto memory = base::AlignedBuffer::make(block_bytes_);
    if (memory) {
      KvBlock& block = free_.emplace_front(*std::move(memory));
      block.self = free_.begin();
    } else if (kept_.empty()) {
      return std::unexpected(std::move(memory).error());
    }
  }
  if (free_.empty() && !kept_.empty()) forget_one();
  if (free_.empty()) {
    return base::make_error(ErrorCode::kUnavailable,
                            "the key-value cache is full: {} blocks of {} tokens", max_blocks_,
                            geometry_.block_tokens);
  }
  KvBlock& block = free_.front();
  used_.splice(used_.begin(), free_, block.self);
  block.users = 1;
  return &block;
}

KvBlock* KvPool::find(const BlockKey& key) noexcept {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  KvBlock& block = *found->second;
  if (block.users++ == 0) used_.splice(used_.begin(), kept_, block.self);
  return &block;
}

void KvPool::publish(KvBlock& block, const BlockKey& key) noexcept {
  if (max_kept_ == 0 || block.key) return;
  try {
    if (by_key_.emplace(key, &block).second) block.key = key;
  } catch (const std::bad_alloc&) {
    return;
  }
}

void KvPool::release(KvBlock& block) noexcept {
  if (--block.users > 0) return;
  if (!block.key) return free_.splice(free_.begin(), used_, block.self);
  kept_.splice(kept_.begin(), used_, block.self);
  if (kept_.size() > max_kept_) forget_one();
}

Status BlockTable::reserve(std::int64_t positions) {
  const std::size_t needed = pool_->blocks_for(positions);
  try {
    owned_.reserve(needed);
    blocks_.reserve(needed);
    while (owned_.size() < needed) {
      OCELLUS_ASSIGN_OR_RETURN(KvBlock* const block, pool_->take());
      owned_.push_back(block);
      blocks_.push_back(block->memory.data());
    }
    return {};
  } catch (const std::bad_alloc&) {  // this sequence's error, not that of the step
    return base::make_error(ErrorCode::kOutOfMemory, "not enough memory for {} blocks of the cache",
                            needed);
  }
}

std::size_t BlockTable::share(std::span<const BlockKey> keys) {
  const std::size_t before = owned_.size();
  try {
    owned_.reserve(before + keys.size());
    blocks_.reserve(before + keys.size());
  } catch (const std::bad_alloc&) {
    return 0;  // they are computed, then
  }
  for (const BlockKey& key : keys) {
    KvBlock* const block = pool_->find(key);
    if (block == nullptr) break;
    owned_.push_back(block);
    blocks_.push_back(block->memory.data());
  }
  return owned_.size() - before;
}

// The last ones first: of a prefix that is kept, the end is the least useful part.
void BlockTable::truncate(std::size_t blocks) noexcept {
  while (owned_.size() > blocks) {
    pool_->release(*owned_.back());
    owned_.pop_back();
    blocks_.pop_back();
  }
}

}  // namespace ocellus::engine
