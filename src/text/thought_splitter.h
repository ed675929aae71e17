// What a model thinks aloud before it answers, told apart from the answer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ocellus::text {

// What a prompt says of the text that follows it.
enum class Thoughts : std::uint8_t {
  kNone,  // its template knows none: <think> is text like any other
  kMay,   // the text may begin with <think>
  kOpen,  // the prompt ends with <think>: the text begins within the thoughts
};

// The rule: thoughts are the first thing of a text, from <think>, which the prompt may have written
// already, to the first </think>, or to the end where none comes. The answer is what follows. Both
// marks are left out, with the newlines around the thoughts and before the answer. Later marks are
// text of the answer; so is <think> behind anything but newlines.
//
// Pieces may be cut anywhere, within marks too; what may belong to a mark waits for the next piece.
// One thread.
class ThoughtSplitter {
 public:
  struct Split {
    std::string thoughts, answer;  // the thoughts come first
    bool operator==(const Split&) const = default;
  };

  explicit ThoughtSplitter(Thoughts thoughts);

  Split push(std::string_view text);
  // What was held back; at the end.
  Split finish();
  // The text so far ends within the thoughts.
  bool thinking() const { return state_ == State::kBeforeThoughts || state_ == State::kThoughts; }

 private:
  enum class State : std::uint8_t { kStart, kBeforeThoughts, kThoughts, kBeforeAnswer, kAnswer };

  void skip_newlines(State next);
  void look_for_begin();
  void look_for_end(Split& split);

  State state_;
  std::string held_;
};

}  // namespace ocellus::text
