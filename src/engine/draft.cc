#include "engine/draft.h"

#include <algorithm>
#include <utility>

namespace ocellus::engine {
namespace {

constexpr std::int32_t kPicture = -1;
constexpr std::size_t kFirstIndex = 256;
// A row more in a step of few costs about a tenth of a step of one at 4 bits, a sixth at 8 (2
// threads of an EPYC with AVX-512); once drafts pay, what a step brings is worth two or three
// times its cost. A token has to be likelier than the product.
constexpr double kWorth = 0.4;
constexpr double kForget = 0.9;

}  // namespace

Drafter::Drafter(std::span<const std::int32_t> prompt, std::int32_t image_token)
    : index_(kFirstIndex) {
  for (const std::int32_t token : prompt) {
    if (token != image_token) {
      add(token);
    } else if (unbroken_ > 0) {  // a picture is one break, however many places it has
      tokens_.push_back(kPicture);
      unbroken_ = 0;
      match_ = {};
    }
  }
}

void Drafter::append(std::int32_t token) {
  // Guesses count whether or not they were tried: what has stopped paying costs nothing, and begins
  // again when it would have paid.
  if (match_.length > 0) {
    Record& record = records_[static_cast<std::size_t>(match_.length - 1)];
    const bool right = tokens_[static_cast<std::size_t>(match_.end)] == token;
    record.right = kForget * record.right + (right ? 1 : 0);
    record.all = kForget * record.all + 1;
  }
  add(token);
}

std::vector<std::int32_t> Drafter::propose(std::int64_t most) const {
  std::vector<std::int32_t> draft;
  if (match_.length == 0) return draft;
  const double rate = records_[static_cast<std::size_t>(match_.length - 1)].rate();
  double chance = rate;
  for (auto from = static_cast<std::size_t>(match_.end);
       std::ssize(draft) < most && chance >= kWorth; ++from, chance *= rate) {
    // A text that repeats itself goes on repeating: after its end comes the draft.
    const std::int32_t token = from < tokens_.size() ? tokens_[from] : draft[from - tokens_.size()];
    if (token == kPicture) break;
    draft.push_back(token);
  }
  return draft;
}

void Drafter::add(std::int32_t token) {
  tokens_.push_back(token);
  ++unbroken_;
  const auto end = static_cast<std::int32_t>(tokens_.size());
  match_ = {};
  for (int length = 1; length <= std::min<std::int64_t>(kLongest, unbroken_); ++length) {
    const std::int32_t before = exchange(length, end);
    if (before > 0 && tokens_[static_cast<std::size_t>(before)] != kPicture)
      match_ = {before, length};
  }
}

// Notes the tokens before `end`; where they were before, 0 for nowhere.
std::int32_t Drafter::exchange(int length, std::int32_t end) {
  if (2 * used_ >= index_.size()) grow();
  const std::size_t first = place(length, end);
  for (int i = 0; i < kProbes; ++i) {
    Entry& entry = index_[(first + static_cast<std::size_t>(i)) & (index_.size() - 1)];
    ++probes_;
    if (entry.length == 0) {
      ++used_;
      entry = {end, length};
      return 0;
    }
    if (same(entry, length, end)) return std::exchange(entry.end, end);
  }
  index_[first] = {end, length};
  return 0;
}

std::size_t Drafter::place(int length, std::int32_t end) const {
  std::uint64_t hash = static_cast<std::uint64_t>(length);
  for (int i = 1; i <= length; ++i) {
    hash += static_cast<std::uint64_t>(tokens_[static_cast<std::size_t>(end - i)]);
    hash *= 0x9E3779B97F4A7C15ull;
    hash ^= hash >> 29;
  }
  return static_cast<std::size_t>(hash) & (index_.size() - 1);
}

bool Drafter::same(const Entry& entry, int length, std::int32_t end) const {
  return entry.length == length &&
         std::equal(tokens_.begin() + (end - length), tokens_.begin() + end,
                    tokens_.begin() + (entry.end - length));
}

void Drafter::grow() {
  const std::vector<Entry> old = std::exchange(index_, std::vector<Entry>(2 * index_.size()));
  used_ = 0;
  for (const Entry& entry : old) {
    if (entry.length > 0) exchange(entry.length, entry.end);
  }
}

}  // namespace ocellus::engine
