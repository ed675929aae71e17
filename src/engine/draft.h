// Guesses how an answer goes on from what the prompt and the answer said before: where its last
// tokens stood earlier, it may go on as it did there. After A. Saxena, "Prompt Lookup Decoding"
// (2023); the engine tries the guesses together with the next token (engine.h).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace ocellus::engine {

// One sequence's text and an index of its latest occurrences. One thread. The work for a token is
// bounded, whatever the text; the memory grows with the text.
class Drafter {
 public:
  // `image_token` stands for places of a picture, which are like nothing else; -1: none.
  Drafter(std::span<const std::int32_t> prompt, std::int32_t image_token);

  // The model generated this token.
  void append(std::int32_t token);

  // What may come next, `most` tokens at most; as many of them as the guesses for this text have
  // earned so far, which may be none.
  std::vector<std::int32_t> propose(std::int64_t most) const;

  // Entries of the index that were looked at so far, for the tests of its bound.
  std::uint64_t probes() const { return probes_; }

  static constexpr int kLongest = 3;  // tokens that must be the same; fewer where three are not
  static constexpr int kProbes = 8;   // entries looked at for each; then the index forgets one

 private:
  // Where `length` tokens were last: the token after them is tokens_[end].
  struct Entry {
    std::int32_t end = 0;
    std::int32_t length = 0;  // 0: free
  };
  // How often the first token of a guess was right, the latest counting most.
  struct Record {
    double right, all;
    double rate() const { return right / all; }
  };

  void add(std::int32_t token);
  std::int32_t exchange(int length, std::int32_t end);
  std::size_t place(int length, std::int32_t end) const;
  bool same(const Entry& entry, int length, std::int32_t end) const;
  void grow();

  std::vector<std::int32_t> tokens_;
  std::int64_t unbroken_ = 0;  // tokens since the last place of a picture
  std::vector<Entry> index_;   // a power of two
  std::size_t used_ = 0;
  std::uint64_t probes_ = 0;
  Entry match_;
  // Before anything is known: a guess from three tokens is tried twice, one from a single token is
  // watched only.
  std::array<Record, kLongest> records_{{{0.3, 2}, {0.9, 2}, {1.3, 2}}};
};

}  // namespace ocellus::engine
