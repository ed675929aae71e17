#include "engine/kv_pool.h"

#include <new>

#include "base/result.h"

namespace ocellus::engine {

Result<std::byte*> KvPool::take() {
  if (!free_.empty()) {
    std::byte* const block = free_.back();
    free_.pop_back();
    return block;
  }
  if (allocated_.size() >= max_blocks_) {
    return base::make_error(ErrorCode::kUnavailable,
                            "the key-value cache is full: {} blocks of {} tokens", max_blocks_,
                            geometry_.block_tokens);
  }
  OCELLUS_ASSIGN_OR_RETURN(base::AlignedBuffer buffer, base::AlignedBuffer::make(block_bytes_));
  free_.reserve(allocated_.size() + 1);  // giving back must not need memory
  allocated_.push_back(std::move(buffer));
  return allocated_.back().data();
}

BlockTable::~BlockTable() {
  for (std::byte* const block : blocks_) pool_->give_back(block);
}

Status BlockTable::reserve(std::int64_t positions) {
  const std::size_t needed = pool_->blocks_for(positions);
  try {
    blocks_.reserve(needed);
    while (blocks_.size() < needed) {
      OCELLUS_ASSIGN_OR_RETURN(std::byte* const block, pool_->take());
      blocks_.push_back(block);
    }
    return {};
  } catch (const std::bad_alloc&) {  // this sequence's error, not that of the step
    return base::make_error(ErrorCode::kOutOfMemory, "not enough memory for {} blocks of the cache",
                            needed);
  }
}

}  // namespace ocellus::engine
