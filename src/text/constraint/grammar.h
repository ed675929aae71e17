// A language of bytes that an answer is held to, as a program that a matcher runs: bytes to read,
// branches, calls of rules, counted loops. Calls and counts live on a stack, so that nesting and
// maxLength: 10000 cost no room in the program.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::text {

using Pc = std::int32_t;  // the place of an instruction

// Immutable; any thread.
class Grammar {
 public:
  enum class Op : std::uint8_t {
    kAccept,  // the answer may end
    kReturn,  // of a rule: to where it was called from
    kByte,    // reads `byte`, then `next`
    kSwitch,  // reads a byte, goes to tables[index][byte]; -1: not allowed
    kSplit,   // goes on at each of splits[index]
    kCall,    // rules[index], then `next`
    kEnter,   // loops[index], from count 0
    kHead,    // of a loop: its body once more, or on to its exit
    kNext,    // the end of its body
  };
  struct Instruction {
    Op op = Op::kAccept;
    std::uint8_t byte = 0;
    std::int32_t index = 0;
    Pc next = 0;
  };
  struct Loop {
    std::uint32_t min = 0, max = 0;
    Pc head = 0, body = 0, exit = 0;
  };
  using Table = std::array<Pc, 256>;

  static constexpr std::uint32_t kUnlimited = 0xFFFFFFFF;
  static constexpr std::uint64_t kNever = std::uint64_t{1} << 40;

  Pc start() const { return start_; }
  const Instruction& at(Pc pc) const { return code_[static_cast<std::size_t>(pc)]; }
  const Table& table(std::int32_t index) const { return tables_[static_cast<std::size_t>(index)]; }
  const std::vector<Pc>& split(std::int32_t i) const {
    return splits_[static_cast<std::size_t>(i)];
  }
  const Loop& loop(std::int32_t index) const { return loops_[static_cast<std::size_t>(index)]; }
  Pc rule(std::int32_t index) const { return rules_[static_cast<std::size_t>(index)]; }
  // The fewest bytes from here to the end of its rule, or of the body of its loop.
  std::uint64_t least(Pc pc) const { return least_[static_cast<std::size_t>(pc)]; }

 private:
  friend class GrammarBuilder;
  std::uint64_t measure(Pc pc) const;

  Pc start_ = 0;
  std::vector<Instruction> code_;
  std::vector<Table> tables_;
  std::vector<std::vector<Pc>> splits_;
  std::vector<Loop> loops_;
  std::vector<Pc> rules_;
  std::vector<std::uint64_t> least_;
};

// How a character stands in the answer.
enum class Encoding : std::uint8_t {
  kUtf8,
  kJsonString,  // quote, backslash and control characters as JSON writes them, all others raw
};

// Inclusive ranges of code points, sorted, apart from each other.
using CodePoints = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// Writes a grammar from its end to its beginning: each part is told what follows it, and returns
// where it begins.
class GrammarBuilder {
 public:
  GrammarBuilder();

  Pc accept() const { return 0; }
  Pc return_() const { return 1; }
  Pc byte(char byte, Pc next);
  Pc literal(std::string_view text, Pc next);
  // One of these texts, which may be beginnings of each other.
  Pc literals(std::vector<std::string> texts, Pc next);
  Pc bytes(std::string_view set, Pc next);
  Pc range(unsigned char first, unsigned char last, Pc next);
  Pc table(const Grammar::Table& table);
  Pc any_of(std::vector<Pc> branches);
  // A character of the set.
  Pc code_point(const CodePoints& set, Encoding encoding, Pc next);
  // `body` is given what follows it; min to max times.
  Pc repeat(std::uint32_t min, std::uint32_t max, const std::function<Pc(Pc)>& body, Pc next);
  Pc call(std::int32_t rule, Pc next);

  // For what refers to itself: a number first, the entry later.
  std::int32_t new_rule();
  void set_rule(std::int32_t rule, Pc entry) {
    grammar_.rules_[static_cast<std::size_t>(rule)] = entry;
  }
  Pc new_branches();
  void set_branches(Pc pc, std::vector<Pc> branches);

  // kInvalidArgument: `what` takes too much room, can never be ended, or only by more bytes than an
  // answer has.
  Result<std::shared_ptr<const Grammar>> finish(Pc start, std::string_view what);
  // Something was too large; what is built from here on counts no more.
  bool too_large() const { return too_large_; }

 private:
  using Sequence = std::vector<std::pair<std::uint8_t, std::uint8_t>>;  // ranges of bytes
  Pc add(Grammar::Instruction instruction);
  bool merge(const std::vector<Pc>& branches, Grammar::Table& into) const;
  Pc trie(std::vector<Sequence> sequences, std::size_t depth, Pc next);
  static void add_utf8(std::uint32_t first, std::uint32_t last, std::vector<Sequence>& out);

  Grammar grammar_;
  bool too_large_ = false;
};

}  // namespace ocellus::text
