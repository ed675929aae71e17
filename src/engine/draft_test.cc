// What is guessed from a text, what has to be earned first, and that a token's work is bounded.
#include "engine/draft.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

namespace ocellus::engine {
namespace {

using Tokens = std::vector<std::int32_t>;
constexpr std::int32_t kImage = 99;

Drafter after(const Tokens& prompt, const Tokens& answer = {}) {
  Drafter drafter(prompt, kImage);
  for (const std::int32_t token : answer) drafter.append(token);
  return drafter;
}

// Says it so often that long guesses have been earned.
Drafter sure_of(const Tokens& phrase) {
  Drafter drafter({}, kImage);
  for (int i = 0; i < 20; ++i) {
    for (const std::int32_t token : phrase) drafter.append(token);
  }
  return drafter;
}

TEST(Drafter, GuessesWhatFollowedTheLatestOccurrence) {
  EXPECT_EQ(after({1, 2, 3, 4, 5, 1, 2, 3}).propose(8), (Tokens{4, 5}));
  EXPECT_EQ(after({1, 2, 3, 4, 8, 1, 2, 3, 6, 7}, {1, 2, 3}).propose(8), (Tokens{6, 7}));
  EXPECT_EQ(after({1, 2, 3, 4, 5, 1, 2, 3}).propose(1), (Tokens{4}));
  EXPECT_TRUE(after({1, 2, 3, 4, 5, 1, 2, 3}).propose(0).empty());
  EXPECT_TRUE(after({1, 2, 3, 4, 5, 1, 2, 3}).propose(-1).empty());
}

TEST(Drafter, PrefersTheLongerMatch) {
  // 2 3 was followed by 9 later than 1 2 3 by 4.
  EXPECT_EQ(after({1, 2, 3, 4, 5, 2, 3, 9, 9}, {1, 2, 3}).propose(2), (Tokens{4, 5}));
}

TEST(Drafter, HasNothingForANewText) {
  EXPECT_TRUE(after({}).propose(8).empty());
  EXPECT_TRUE(after({1, 2, 3, 4, 5, 6}).propose(8).empty());
  EXPECT_TRUE(after({1}, {2}).propose(8).empty());
}

TEST(Drafter, GoesOnWithTheRepetitionBehindTheEndOfTheText) {
  const Tokens guess = sure_of({1, 2, 3}).propose(7);
  EXPECT_EQ(guess, (Tokens{1, 2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(sure_of({5}).propose(4), (Tokens{5, 5, 5, 5}));
}

TEST(Drafter, PicturesMatchNothingAndEndAGuess) {
  EXPECT_TRUE(after(Tokens(500, kImage)).propose(8).empty());
  EXPECT_TRUE(after({1, 2, 3, kImage, kImage, 7, 1, 2, 3}).propose(8).empty());
  EXPECT_EQ(after({1, 2, 3, 4, kImage, 7, 1, 2, 3}).propose(8), (Tokens{4}));
  // Across a picture there is no run of three: 2 3 alone is what is known.
  EXPECT_EQ(after({1, kImage, 2, 3, 5, 6, 1, 2, 3}).propose(8), (Tokens{5}));
  // A token of that number that the model itself says is one like others.
  EXPECT_EQ(after({}, {kImage, 2, 3, 4, 5, kImage, 2, 3}).propose(8), (Tokens{4, 5}));
}

TEST(Drafter, GuessesMoreAfterHitsAndNothingAfterMisses) {
  Drafter drafter({}, kImage);
  std::int32_t fresh = 1000;
  const auto say = [&](std::int32_t next) {
    for (const std::int32_t token : {1, 2, 3}) drafter.append(token);
    drafter.append(next);
  };
  const auto guess = [&] {
    Drafter copy = drafter;
    for (const std::int32_t token : {1, 2, 3}) copy.append(token);
    return copy.propose(8).size();
  };
  say(++fresh);
  EXPECT_EQ(guess(), 2u);
  for (int i = 0; i < 6; ++i) say(++fresh);  // never the same twice
  EXPECT_EQ(guess(), 0u);
  // Nothing is tried now, and yet it is seen that it would have paid.
  for (int i = 0; i < 30; ++i) say(7);
  EXPECT_GE(guess(), 6u);
}

// Whatever the text, a token looks at kProbes entries for each length; growing the index adds at
// most twice that again.
TEST(Drafter, WorkForATokenIsBounded) {
  const auto probes = [](auto token_at) {
    Drafter drafter({}, kImage);
    constexpr std::uint64_t kTokens = 20000;
    for (std::uint64_t i = 0; i < kTokens; ++i) {
      drafter.append(static_cast<std::int32_t>(token_at(i)));
      EXPECT_LE(drafter.propose(7).size(), 7u);
    }
    return drafter.probes() / kTokens;
  };
  constexpr std::uint64_t kBound = 3 * Drafter::kLongest * Drafter::kProbes;
  EXPECT_LE(probes([](auto) { return 5; }), kBound);
  EXPECT_LE(probes([](auto i) { return i % 2; }), kBound);
  EXPECT_LE(probes([](auto i) { return i; }), kBound);
  EXPECT_LE(probes([](auto i) { return i * i % 251; }), kBound);
  EXPECT_LE(probes([](auto i) { return std::popcount(i); }), kBound);
  EXPECT_LE(probes([](auto i) { return (i & 15) << 20; }), kBound);
}

// However full the index gets, what it says is true: the tokens before a guess are those at the
// end of the text.
TEST(Drafter, GuessesOnlyWhatFollowedTheSameTokens) {
  Drafter drafter({}, kImage);
  Tokens text;
  std::uint64_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    text.push_back(static_cast<std::int32_t>((state >> 33) % 30));
    drafter.append(text.back());
    const Tokens guess = drafter.propose(1);
    if (guess.empty()) continue;
    const Tokens wanted{text.end()[-1], guess[0]};
    EXPECT_NE(std::ranges::search(text, wanted).begin(), text.end()) << "at token " << i;
  }
}

}  // namespace
}  // namespace ocellus::engine
