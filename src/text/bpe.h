// Byte-pair encoding of one word. Paper: Sennrich et al., arXiv:1508.07909; merges by rank, as the
// tokenizers library does it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::text {

struct TransparentHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view s) const noexcept {
    return std::hash<std::string_view>{}(s);
  }
};
using Vocabulary = std::unordered_map<std::string, std::int32_t, TransparentHash, std::equal_to<>>;

// Immutable after construction; any thread.
class Bpe {
 public:
  struct Options {
    std::optional<std::int32_t> unknown;  // for characters that nothing covers
    bool byte_fallback = false;  // such characters become <0xXX> tokens, where all of them exist
    bool fuse_unknown = false;   // neighbouring unknown characters are one token
    bool ignore_merges = false;  // a word that is in the vocabulary is that token
  };

  Bpe(Vocabulary vocabulary, Options options);

  // Adds a rule: `left` `right` -> their concatenation, of the next rank. kBadModel when one of the
  // three is not in the vocabulary.
  Status add_merge(std::string_view left, std::string_view right);
  // The same, written "left right".
  Status add_merge(std::string_view pair);

  // Text never becomes one of these tokens, whatever the rules say: special tokens are not spelled.
  void forbid(const std::vector<std::int32_t>& ids);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  // Appends the ids of `word` (valid UTF-8). O(n log n).
  void encode(std::string_view word, std::vector<std::int32_t>& ids) const;

 private:
  struct Merge {
    std::uint32_t rank;
    std::int32_t id;
  };
  static std::uint64_t key(std::int32_t left, std::int32_t right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::vector<std::int32_t> initial_symbols(std::string_view word) const;

  Vocabulary vocabulary_;
  Options options_;
  std::int32_t bytes_[256];  // ids of <0x00> ..., -1 where absent
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::unordered_set<std::int32_t> forbidden_;
  std::uint32_t next_rank_ = 0;
};

}  // namespace ocellus::text
