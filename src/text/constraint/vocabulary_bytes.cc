#include "text/constraint/vocabulary_bytes.h"

#include <algorithm>
#include <utility>

#include "text/detokenizer.h"

namespace ocellus::text {

std::shared_ptr<const VocabularyBytes> VocabularyBytes::make(const Tokenizer& tokenizer) {
  constexpr std::size_t kMaxLength = 0xFFFF;
  const auto size = static_cast<std::int32_t>(tokenizer.vocabulary_size());
  const Detokenizer at_start(tokenizer);
  Detokenizer inside(tokenizer);
  // Any token that is text stands before the others: only the first of an answer has none.
  for (std::int32_t id = 0; id < size; ++id) {
    if (tokenizer.is_special(id) || at_start.bytes_of(id) != "a") continue;
    inside.push(id);
    break;
  }
  auto out = std::make_shared<VocabularyBytes>();
  std::vector<std::pair<std::string, std::int32_t>> all;
  for (std::int32_t id = 0; id < size; ++id) {
    if (tokenizer.is_special(id)) continue;
    std::string bytes = inside.bytes_of(id);
    if (bytes.empty() || bytes.size() > kMaxLength) continue;
    if (bytes.starts_with(' ') && !out->drops_first_space_)
      out->drops_first_space_ = at_start.bytes_of(id).size() < bytes.size();
    all.emplace_back(std::move(bytes), id);
  }
  std::ranges::sort(all);
  out->place_.assign(static_cast<std::size_t>(size), -1);
  std::string_view before;
  for (const auto& [bytes, id] : all) {
    const auto same = std::ranges::mismatch(bytes, before).in1 - bytes.begin();
    out->place_[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(out->entries_.size());
    out->entries_.push_back({.begin = static_cast<std::uint32_t>(out->text_.size()),
                             .length = static_cast<std::uint16_t>(bytes.size()),
                             .shared = static_cast<std::uint16_t>(same),
                             .id = id});
    out->text_ += bytes;
    before = bytes;
  }
  return out;
}

std::string_view VocabularyBytes::bytes_of(std::int32_t id) const {
  if (id < 0 || id >= std::ssize(place_) || place_[static_cast<std::size_t>(id)] < 0) return {};
  return bytes(entries_[static_cast<std::size_t>(place_[static_cast<std::size_t>(id)])]);
}

std::optional<std::int32_t> VocabularyBytes::longest_prefix(std::string_view text) const {
  std::optional<std::int32_t> found;
  auto begin = entries_.begin(), end = entries_.end();
  for (std::size_t length = 1; length <= text.size() && begin != end; ++length) {
    const std::string_view prefix = text.substr(0, length);
    const auto head = [&](const Entry& e) { return bytes(e).substr(0, length); };
    std::tie(begin, end) = [&] {
      const auto range = std::ranges::equal_range(begin, end, prefix, {}, head);
      return std::pair(range.begin(), range.end());
    }();
    if (begin != end && begin->length == length) found = begin->id;
  }
  return found;
}

}  // namespace ocellus::text
