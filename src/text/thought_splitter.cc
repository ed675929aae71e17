#include "text/thought_splitter.h"

#include <algorithm>
#include <utility>

namespace ocellus::text {
namespace {

constexpr std::string_view kBegin = "<think>", kEnd = "</think>";

// How many bytes at the end of the text may be newlines and the beginning of the mark.
std::size_t unsure(std::string_view text, std::string_view mark) {
  std::size_t length = std::min(text.size(), mark.size() - 1);
  while (!text.ends_with(mark.substr(0, length))) --length;
  while (length < text.size() && text[text.size() - length - 1] == '\n') ++length;
  return length;
}

}  // namespace

ThoughtSplitter::ThoughtSplitter(Thoughts thoughts)
    : state_(thoughts == Thoughts::kNone  ? State::kAnswer
             : thoughts == Thoughts::kMay ? State::kStart
                                          : State::kBeforeThoughts) {}

ThoughtSplitter::Split ThoughtSplitter::push(std::string_view text) {
  Split split;
  held_ += text;
  // Each in turn, as far as the text that there is leads.
  if (state_ == State::kStart) look_for_begin();
  if (state_ == State::kBeforeThoughts) skip_newlines(State::kThoughts);
  if (state_ == State::kThoughts) look_for_end(split);
  if (state_ == State::kBeforeAnswer) skip_newlines(State::kAnswer);
  if (state_ == State::kAnswer) split.answer = std::exchange(held_, {});
  return split;
}

ThoughtSplitter::Split ThoughtSplitter::finish() {
  Split split;
  (thinking() ? split.thoughts : split.answer) = std::exchange(held_, {});
  return split;
}

void ThoughtSplitter::skip_newlines(State next) {
  held_.erase(0, std::min(held_.find_first_not_of('\n'), held_.size()));
  if (!held_.empty()) state_ = next;
}

void ThoughtSplitter::look_for_begin() {
  const std::string_view text =
      std::string_view(held_).substr(std::min(held_.find_first_not_of('\n'), held_.size()));
  if (text.starts_with(kBegin)) {
    held_ = text.substr(kBegin.size());
    state_ = State::kBeforeThoughts;
  } else if (!kBegin.starts_with(text)) {
    state_ = State::kAnswer;
  }
}

void ThoughtSplitter::look_for_end(Split& split) {
  const std::size_t end = held_.find(kEnd);
  if (end == std::string::npos) {
    const std::size_t sure = held_.size() - unsure(held_, kEnd);
    split.thoughts = held_.substr(0, sure);
    held_.erase(0, sure);
    return;
  }
  split.thoughts = held_.substr(0, end);
  split.thoughts.erase(split.thoughts.find_last_not_of('\n') + 1);
  held_.erase(0, end + kEnd.size());
  state_ = State::kBeforeAnswer;
}

}  // namespace ocellus::text
