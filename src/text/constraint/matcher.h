// Runs a grammar over the bytes of an answer, all its readings at the same time.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/constraint/grammar.h"

namespace ocellus::text {

// Owned by one thread.
class Matcher {
 public:
  // A reading: the instruction that reads the next byte (or accepts), and its stack; 0: empty.
  struct Reading {
    Pc pc = 0;
    std::int32_t stack = 0;
    auto operator<=>(const Reading&) const = default;
  };
  // Empty: no answer goes on like this.
  using State = std::vector<Reading>;

  explicit Matcher(std::shared_ptr<const Grammar> grammar);

  // The grammar, if it can be run. kInvalidArgument naming `what`: it has too many readings at its
  // start, as one that begins with itself.
  static Result<std::shared_ptr<const Grammar>> runnable(
      Result<std::shared_ptr<const Grammar>> grammar, std::string_view what);

  State start();
  // The state after one more byte. `to` may not be `from`.
  void step(const State& from, std::uint8_t byte, State& to);
  bool accepts(const State& state) const;
  // Whether any byte may follow.
  bool goes_on(const State& state) const;
  // The fewest bytes to an end.
  std::uint64_t least(const State& state) const;
  // Such bytes, from a state that is not empty. At most `max` of them.
  std::string shortest_end(const State& state, std::size_t max);
  // The bytes that every answer goes on with, `max` at most; stops where the answer may end.
  std::string forced(const State& state, std::size_t max);

  // Stacks that are looked at for a moment: what was made since is forgotten.
  std::size_t mark() const { return frames_.size(); }
  void forget_since(std::size_t mark);
  // Keeps the stacks of this state only, which is renumbered.
  void keep_only(State& state);

  // So deep only the shortest ends go on: an answer must not nest for ever.
  static constexpr std::uint32_t kMaxDepth = 64;
  // Readings of one state; more are too many, and the state is empty.
  static constexpr std::size_t kMaxReadings = 512;
  // Instructions that were run so far: what a caller may bound.
  std::uint64_t work() const { return work_done_; }

 private:
  struct Frame {
    std::int32_t parent = 0;
    std::int32_t place = 0;  // a Pc to return to, or ~loop
    std::uint32_t count = 0;
    bool operator==(const Frame&) const = default;
  };
  struct FrameHash {
    std::size_t operator()(const Frame& f) const noexcept;
  };
  struct Kept {
    Frame frame;
    std::uint32_t depth = 0;
    std::uint64_t least =
        0;  // the fewest bytes to the end of the answer, once this frame is popped
  };

  const Kept& frame(std::int32_t stack) const { return frames_[static_cast<std::size_t>(stack)]; }
  std::int32_t push(Frame frame);
  void follow(Reading reading, State& to);
  void follow_one(Reading reading);
  std::uint64_t least(const Reading& reading) const;

  std::shared_ptr<const Grammar> grammar_;
  std::vector<Kept> frames_;  // [0]: the empty stack
  std::unordered_map<Frame, std::int32_t, FrameHash> index_;
  // Of follow(), kept for their room.
  std::vector<Reading> work_, seen_;
  std::uint64_t work_done_ = 0;
  bool too_many_ = false;
};

}  // namespace ocellus::text
