#include "text/bpe.h"

#include <algorithm>
#include <queue>

#include "base/result.h"

namespace ocellus::text {
namespace {

// Length of the character at the front of valid UTF-8.
std::size_t character_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  return std::min(length, text.size());
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, Options options)
    : vocabulary_(std::move(vocabulary)), options_(options) {
  for (int byte = 0; byte < 256; ++byte) {
    const auto found = vocabulary_.find(fmt::format("<0x{:02X}>", byte));
    bytes_[byte] = found == vocabulary_.end() ? -1 : found->second;
  }
}

Status Bpe::add_merge(std::string_view left, std::string_view right) {
  const auto l = vocabulary_.find(left), r = vocabulary_.find(right);
  const auto merged = vocabulary_.find(std::string(left) + std::string(right));
  if (l == vocabulary_.end() || r == vocabulary_.end() || merged == vocabulary_.end()) {
    return base::make_error(ErrorCode::kBadModel,
                            "merges: \"{} {}\": expected tokens of the vocabulary", left, right);
  }
  // A duplicate rule keeps its last rank, as a hash map filled in order does.
  merges_[key(l->second, r->second)] = {next_rank_++, merged->second};
  return {};
}

Status Bpe::add_merge(std::string_view pair) {
  const std::size_t space = pair.find(' ');
  if (space == std::string_view::npos) {
    return base::make_error(ErrorCode::kBadModel, "merges: expected \"left right\", found \"{}\"",
                            pair);
  }
  return add_merge(pair.substr(0, space), pair.substr(space + 1));
}

void Bpe::forbid(const std::vector<std::int32_t>& ids) {
  forbidden_.insert(ids.begin(), ids.end());
  std::erase_if(merges_, [&](const auto& rule) { return forbidden_.contains(rule.second.id); });
}

std::vector<std::int32_t> Bpe::initial_symbols(std::string_view word) const {
  std::vector<std::int32_t> symbols;
  bool last_unknown = false;
  while (!word.empty()) {
    const std::string_view character = word.substr(0, character_length(word));
    word.remove_prefix(character.size());
    const auto found = vocabulary_.find(character);
    if (found != vocabulary_.end() && !forbidden_.contains(found->second)) {
      symbols.push_back(found->second);
      last_unknown = false;
      continue;
    }
    const auto byte_id = [&](char c) { return bytes_[static_cast<unsigned char>(c)]; };
    if (options_.byte_fallback &&
        std::ranges::none_of(character, [&](char c) { return byte_id(c) < 0; })) {
      for (const char c : character) symbols.push_back(byte_id(c));
      last_unknown = false;
    } else if (options_.unknown) {
      if (!(last_unknown && options_.fuse_unknown)) symbols.push_back(*options_.unknown);
      last_unknown = true;
    }
  }
  return symbols;
}

void Bpe::encode(std::string_view word, std::vector<std::int32_t>& ids) const {
  if (word.empty()) return;
  if (options_.ignore_merges) {
    if (const auto whole = vocabulary_.find(word);
        whole != vocabulary_.end() && !forbidden_.contains(whole->second)) {
      ids.push_back(whole->second);
      return;
    }
  }
  std::vector<std::int32_t> symbols = initial_symbols(word);
  // A doubly linked list over the symbols; candidates wait in a heap, the lowest rank first, the
  // leftmost among equals.
  struct Link {
    int previous, next;
  };
  std::vector<Link> links(symbols.size());
  for (int i = 0; i < static_cast<int>(links.size()); ++i) {
    links[i] = {i - 1, i + 1 < static_cast<int>(links.size()) ? i + 1 : -1};
  }
  struct Candidate {
    std::uint32_t rank;
    int left;
    std::int32_t left_id, right_id, merged;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto consider = [&](int left) {
    if (left < 0 || links[left].next < 0) return;
    const std::int32_t a = symbols[left], b = symbols[links[left].next];
    if (const auto merge = merges_.find(key(a, b)); merge != merges_.end()) {
      heap.push({merge->second.rank, left, a, b, merge->second.id});
    }
  };
  for (int i = 0; i + 1 < static_cast<int>(symbols.size()); ++i) consider(i);
  constexpr std::int32_t kGone = -1;
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    const int right = links[best.left].next;
    // The list may have changed since the candidate was pushed.
    if (symbols[best.left] != best.left_id || right < 0 || symbols[right] != best.right_id)
      continue;
    symbols[best.left] = best.merged;
    symbols[right] = kGone;
    links[best.left].next = links[right].next;
    if (links[right].next >= 0) links[links[right].next].previous = best.left;
    consider(links[best.left].previous);
    consider(best.left);
  }
  for (int i = 0; i >= 0 && !symbols.empty(); i = links[i].next) ids.push_back(symbols[i]);
}

}  // namespace ocellus::text
