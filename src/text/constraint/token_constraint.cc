#include "text/constraint/token_constraint.h"

#include <utility>

namespace ocellus::text {
namespace {

constexpr std::size_t kMaxEnd = 1 << 17;         // bytes; twice what a grammar may ask for
constexpr std::uint64_t kMostWork = 10'000'000;  // instructions for one token: a tenth of a second
constexpr std::size_t kManyFrames = 1 << 14;  // stacks that are kept before those in use are moved

}  // namespace

TokenConstraint::TokenConstraint(std::shared_ptr<const Grammar> grammar,
                                 std::shared_ptr<const VocabularyBytes> vocabulary)
    : matcher_(std::move(grammar)), vocabulary_(std::move(vocabulary)), state_(matcher_.start()) {}

Matcher::State TokenConstraint::after(std::int32_t id) {
  std::string_view bytes = vocabulary_->bytes_of(id);
  if (at_start_ && vocabulary_->drops_first_space() && bytes.starts_with(' '))
    bytes.remove_prefix(1);
  if (bytes.empty()) return {};
  Matcher::State now = state_, next;
  for (const char byte : bytes) {
    matcher_.step(now, static_cast<std::uint8_t>(byte), next);
    std::swap(now, next);
    if (now.empty()) break;
  }
  return now;
}

bool TokenConstraint::allows(std::int32_t id) {
  const std::size_t mark = matcher_.mark();
  const bool allowed = !after(id).empty();
  matcher_.forget_since(mark);
  return allowed;
}

void TokenConstraint::accept(std::int32_t id) {
  state_ = after(id);
  at_start_ = false;
  if (matcher_.mark() > kManyFrames) matcher_.keep_only(state_);
}

// The tokens in the order of their bytes: the states of the bytes that one shares with the one
// before it are there already, and where such a byte was refused the token is too.
const std::vector<bool>& TokenConstraint::allowed() {
  const std::size_t mark = matcher_.mark();
  const bool drops = at_start_ && vocabulary_->drops_first_space();
  allowed_.assign(allowed_.size(), false);
  std::size_t good = 0;         // bytes of the last token whose states are on the path
  std::size_t dead = SIZE_MAX;  // the first byte of the last token that was refused
  const std::uint64_t most_work = matcher_.work() + kMostWork;
  if (path_.empty()) path_.emplace_back();
  path_[0] = state_;
  for (const VocabularyBytes::Entry& entry : vocabulary_->entries()) {
    if (entry.shared > dead) continue;
    if (matcher_.work() > most_work) break;
    const std::string_view bytes = vocabulary_->bytes(entry);
    good = std::min<std::size_t>(good, entry.shared);
    dead = SIZE_MAX;
    if (path_.size() <= bytes.size()) path_.resize(bytes.size() + 1);
    for (; good < bytes.size(); ++good) {
      if (good == 0 && drops && bytes[0] == ' ') {
        path_[1] = state_;
        continue;
      }
      matcher_.step(path_[good], static_cast<std::uint8_t>(bytes[good]), path_[good + 1]);
      if (path_[good + 1].empty()) {
        dead = good;
        break;
      }
    }
    if (good < bytes.size() || (drops && bytes == " ")) continue;
    const auto id = static_cast<std::size_t>(entry.id);
    if (allowed_.size() <= id) allowed_.resize(id + 1, false);
    allowed_[id] = true;
  }
  matcher_.forget_since(mark);
  return allowed_;
}

std::vector<std::int32_t> TokenConstraint::tokens_of(std::string_view text,
                                                     std::size_t most) const {
  std::vector<std::int32_t> out;
  while (!text.empty() && out.size() < most) {
    const auto id = vocabulary_->longest_prefix(text);
    if (!id) break;
    out.push_back(*id);
    text.remove_prefix(vocabulary_->bytes_of(*id).size());
  }
  return out;
}

std::vector<std::int32_t> TokenConstraint::closing() {
  const std::size_t mark = matcher_.mark();
  const std::string end = matcher_.shortest_end(state_, kMaxEnd);
  matcher_.forget_since(mark);
  return tokens_of(end, SIZE_MAX);
}

std::vector<std::int32_t> TokenConstraint::closing_after(std::int32_t id) {
  const std::size_t mark = matcher_.mark();
  const Matcher::State state = after(id);
  const std::string end = matcher_.shortest_end(state, kMaxEnd);
  matcher_.forget_since(mark);
  return tokens_of(end, SIZE_MAX);
}

std::uint64_t TokenConstraint::bytes_to_end_after(std::int32_t id) {
  const std::size_t mark = matcher_.mark();
  const Matcher::State state = after(id);
  const std::uint64_t least = matcher_.least(state);
  matcher_.forget_since(mark);
  return least;
}

std::vector<std::int32_t> TokenConstraint::forced(std::size_t most) {
  constexpr std::size_t kBytesPerToken = 16;
  const std::size_t mark = matcher_.mark();
  const std::string text = matcher_.forced(state_, most * kBytesPerToken);
  matcher_.forget_since(mark);
  return tokens_of(text, most);
}

}  // namespace ocellus::text
