#include "engine/kv_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <optional>
#include <set>

namespace ocellus::engine {
namespace {

constexpr std::size_t kBytes = 4096;
const compute::KvGeometry kGeometry{1, 1, 8, 64, tensor::DType::kF32};

TEST(KvPool, RoundsPositionsUpToBlocks) {
  const KvPool pool(kGeometry, kBytes, 4);
  EXPECT_EQ(pool.blocks_for(0), 0u);
  EXPECT_EQ(pool.blocks_for(1), 1u);
  EXPECT_EQ(pool.blocks_for(64), 1u);
  EXPECT_EQ(pool.blocks_for(65), 2u);
  EXPECT_EQ(pool.max_blocks(), 4u);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(KvPool, HandsOutDistinctBlocksUpToItsLimitAndTakesThemBack) {
  KvPool pool(kGeometry, kBytes, 4);
  std::set<std::byte*> blocks;
  for (int round = 0; round < 3; ++round) {
    std::vector<KvBlock*> taken;
    for (int i = 0; i < 4; ++i) {
      const auto block = pool.take();
      ASSERT_TRUE(block.has_value());
      std::memset((*block)->memory.data(), i, kBytes);  // the whole block is memory that we own
      taken.push_back(*block);
    }
    EXPECT_EQ(pool.in_use(), 4u);
    const auto refused = pool.take();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(refused.error().message.find("4 blocks of 64 tokens"), std::string::npos);
    EXPECT_EQ(std::set(taken.begin(), taken.end()).size(), 4u);
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(taken[static_cast<std::size_t>(i)]->memory.data()[kBytes - 1], std::byte(i));
    for (KvBlock* const block : taken) {
      blocks.insert(block->memory.data());
      pool.release(*block);
    }
    EXPECT_EQ(pool.in_use(), 0u);
  }
  EXPECT_EQ(blocks.size(), 4u);  // the same memory each time
}

TEST(KvPool, MemoryThatCannotBeHadIsAnError) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizers' allocator ends the process instead";
#endif
  KvPool pool(kGeometry, std::numeric_limits<std::size_t>::max() / 4, 4);
  const auto block = pool.take();
  ASSERT_FALSE(block.has_value());
  EXPECT_EQ(block.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(BlockTable, GrowsKeepsItsBlocksAndGivesThemBack) {
  KvPool pool(kGeometry, kBytes, 4);
  std::optional<BlockTable> first(std::in_place, pool), second(std::in_place, pool);
  ASSERT_TRUE(first->reserve(64));
  std::byte* const block = first->blocks()[0];
  ASSERT_TRUE(first->reserve(65));
  ASSERT_TRUE(first->reserve(10));  // never shrinks
  ASSERT_EQ(first->blocks().size(), 2u);
  EXPECT_EQ(first->blocks()[0], block);
  ASSERT_TRUE(second->reserve(128));
  EXPECT_EQ(pool.in_use(), 4u);
  const Status full = second->reserve(129);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(second->blocks().size(), 2u);  // what it had, it keeps
  first.reset();
  EXPECT_EQ(pool.in_use(), 2u);
  EXPECT_TRUE(second->reserve(256));
  second.reset();
  EXPECT_EQ(pool.in_use(), 0u);
}

BlockKey key(unsigned char number) { return {number}; }

TEST(KvPool, KeepsWhatWasPublishedForWhoeverHasTheKey) {
  KvPool pool(kGeometry, kBytes, 4, 2);
  KvBlock& block = **pool.take();
  block.memory.data()[7] = std::byte{42};
  EXPECT_EQ(pool.find(key(1)), nullptr);
  pool.publish(block, key(1));
  EXPECT_EQ(pool.find(key(1)), &block);  // while it is in use, too
  EXPECT_EQ(block.users, 2u);
  pool.release(block);
  pool.release(block);
  EXPECT_EQ(pool.in_use(), 0u);
  EXPECT_EQ(pool.kept(), 1u);
  ASSERT_EQ(pool.find(key(1)), &block);
  EXPECT_EQ(block.memory.data()[7], std::byte{42});
  // Of two with the same content the first is found; the second is as any other.
  KvBlock& same = **pool.take();
  pool.publish(same, key(1));
  pool.release(same);
  EXPECT_EQ(pool.kept(), 0u);
  EXPECT_EQ(pool.find(key(1)), &block);
}

TEST(KvPool, TheLeastRecentlyUsedIsForgottenFirst) {
  KvPool pool(kGeometry, kBytes, 3, 2);
  const auto hold = [&](unsigned char number) {
    KvBlock& block = **pool.take();
    pool.publish(block, key(number));
    pool.release(block);
  };
  hold(1);
  hold(2);
  pool.release(*pool.find(key(1)));
  hold(3);  // one more than are kept
  EXPECT_EQ(pool.kept(), 2u);
  EXPECT_EQ(pool.find(key(2)), nullptr);
  // No other block is left: what is kept gives way.
  std::vector<KvBlock*> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(*pool.take());
  EXPECT_EQ(pool.kept(), 0u);
  EXPECT_EQ(pool.find(key(1)), nullptr);
  EXPECT_FALSE(pool.take().has_value());
}

TEST(BlockTable, SharesTheLongestKnownRun) {
  KvPool pool(kGeometry, kBytes, 8, 8);
  const std::vector<BlockKey> keys = {key(1), key(2), key(3), key(4)};
  {
    BlockTable first(pool);
    ASSERT_TRUE(first.reserve(256));
    for (const std::size_t index : {0u, 1u, 3u}) first.publish(index, keys[index]);
  }
  EXPECT_EQ(pool.kept(), 3u);
  BlockTable second(pool);
  EXPECT_EQ(second.share(keys), 2u);
  ASSERT_TRUE(second.reserve(192));
  EXPECT_EQ(second.blocks().size(), 3u);
  EXPECT_EQ(pool.in_use(), 3u);
  second.truncate(1);
  EXPECT_EQ(pool.in_use(), 1u);
  EXPECT_EQ(pool.kept(), 2u);
}

TEST(BlockTable, AFailedReserveKeepsNothingThatIsLost) {
  KvPool pool(kGeometry, kBytes, 3);
  {
    BlockTable sequence(pool);
    EXPECT_FALSE(sequence.reserve(1000).has_value());
  }
  EXPECT_EQ(pool.in_use(), 0u);
  BlockTable sequence(pool);
  EXPECT_TRUE(sequence.reserve(192).has_value());
}

}  // namespace
}  // namespace ocellus::engine
