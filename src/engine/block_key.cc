#include "engine/block_key.h"

#include <algorithm>

namespace ocellus::engine {
namespace {

// The bytes of one block's record.
class Record {
 public:
  explicit Record(std::int64_t block_tokens) {
    // A token and its position, or a run of an image's rows; the key before.
    bytes_.reserve(static_cast<std::size_t>(block_tokens) *
                       (sizeof(std::int32_t) + sizeof(models::Position)) +
                   256);
  }

  template <typename T>
  void add(std::span<const T> values) {
    const auto bytes = std::as_bytes(values);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void add(std::int64_t value) { add(std::span<const std::int64_t>(&value, 1)); }

  // Its hash; the next record begins with that.
  BlockKey close() {
    const BlockKey key = base::sha256(bytes_);
    bytes_.clear();
    add(std::span<const unsigned char>(key));
    return key;
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

std::vector<BlockKey> block_keys(std::span<const models::Segment> prompt,
                                 std::span<const models::Position> positions,
                                 std::int64_t block_tokens) {
  std::vector<BlockKey> keys;
  Record record(block_tokens);
  std::int64_t slot = 0;
  for (const models::Segment& segment : prompt) {
    const bool image = segment.image != nullptr;
    if (image && !segment.content) break;
    for (std::int64_t from = 0; from < segment.size();) {
      const std::int64_t count =
          std::min(segment.size() - from, block_tokens - slot % block_tokens);
      const auto first = static_cast<std::size_t>(from), run = static_cast<std::size_t>(count);
      record.add(image ? 1 : 0);
      record.add(count);
      if (image) {
        // All of the segment's rows, for those that attend both ways see what comes after them.
        record.add(std::span<const unsigned char>(*segment.content));
        for (const std::int64_t number : {segment.first_row, segment.rows, from})
          record.add(number);
      } else {
        record.add(std::span(segment.tokens).subspan(first, run));
      }
      for (const models::Position& position :
           positions.subspan(static_cast<std::size_t>(slot), run))
        record.add(std::span<const std::int32_t>(position));
      from += count;
      slot += count;
      if (slot % block_tokens == 0) keys.push_back(record.close());
    }
  }
  return keys;
}

}  // namespace ocellus::engine
