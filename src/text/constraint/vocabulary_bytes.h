// What each token of a vocabulary adds to a text, in the order of these bytes: tokens that begin
// alike stand together.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace ocellus::text {

// Immutable; any thread.
class VocabularyBytes {
 public:
  struct Entry {
    std::uint32_t begin = 0;
    std::uint16_t length = 0;
    std::uint16_t shared = 0;  // bytes that it begins with as the entry before it does
    std::int32_t id = 0;
  };

  // Decodes each token once: a tenth of a second for a large vocabulary. Special tokens, and those
  // that add nothing, are left out.
  static std::shared_ptr<const VocabularyBytes> make(const Tokenizer& tokenizer);

  const std::vector<Entry>& entries() const { return entries_; }
  std::string_view bytes(const Entry& entry) const {
    return std::string_view(text_).substr(entry.begin, entry.length);
  }
  // Empty for a token that is left out.
  std::string_view bytes_of(std::int32_t id) const;
  // The longest token that `text` begins with.
  std::optional<std::int32_t> longest_prefix(std::string_view text) const;
  // A space that an answer begins with is dropped by the decoder.
  bool drops_first_space() const { return drops_first_space_; }

 private:
  std::string text_;
  std::vector<Entry> entries_;
  std::vector<std::int32_t> place_;  // of an id in entries_; -1: none
  bool drops_first_space_ = false;
};

}  // namespace ocellus::text
