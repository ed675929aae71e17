#include "text/thought_splitter.h"

#include <gtest/gtest.h>

namespace ocellus::text {
namespace {

using Split = ThoughtSplitter::Split;

struct Case {
  Thoughts thoughts;
  std::string text;
  Split expected;
};

const Case kCases[] = {
    {Thoughts::kNone, "<think>\na\n</think>\n\nb", {"", "<think>\na\n</think>\n\nb"}},
    {Thoughts::kMay, "<think>\na\n</think>\n\nb", {"a", "b"}},
    {Thoughts::kMay, "\n<think>a</think>b", {"a", "b"}},
    {Thoughts::kMay, "\n\nb <think>a</think>", {"", "\n\nb <think>a</think>"}},
    {Thoughts::kMay, "<thin", {"", "<thin"}},
    {Thoughts::kMay, "<thing>", {"", "<thing>"}},
    {Thoughts::kMay, "\n", {"", "\n"}},
    {Thoughts::kMay, "<think>\n\n</think>\n\nb", {"", "b"}},
    {Thoughts::kMay, "<think>a", {"a", ""}},
    {Thoughts::kOpen, "a\n\nc\n</think>\n\nb\n\nd", {"a\n\nc", "b\n\nd"}},
    {Thoughts::kOpen, "\na <b> </thin </ </think></think>b", {"a <b> </thin </ ", "</think>b"}},
    {Thoughts::kOpen, "</think>b", {"", "b"}},
    {Thoughts::kOpen, "<</think>\n<b", {"<", "<b"}},
    {Thoughts::kOpen, "a\n</thi", {"a\n</thi", ""}},
    {Thoughts::kOpen, "a</think>\n", {"a", ""}},
    {Thoughts::kOpen, "a</think>b<think>c</think>", {"a", "b<think>c</think>"}},
    {Thoughts::kOpen, "\xC3\xA9</think>\n\xC3\xA9", {"\xC3\xA9", "\xC3\xA9"}},
    {Thoughts::kOpen, "", {"", ""}},
};

Split split(Thoughts thoughts, const std::vector<std::string>& pieces) {
  ThoughtSplitter splitter(thoughts);
  Split all;
  const auto add = [&](const Split& more) {
    EXPECT_TRUE(more.thoughts.empty() || all.answer.empty());  // in this order
    all.thoughts += more.thoughts;
    all.answer += more.answer;
  };
  for (const std::string& piece : pieces) add(splitter.push(piece));
  add(splitter.finish());
  return all;
}

TEST(ThoughtSplitter, IsTheSameWhereverThePiecesAreCut) {
  for (const auto& [thoughts, text, expected] : kCases) {
    SCOPED_TRACE(text);
    EXPECT_EQ(split(thoughts, {text}), expected);
    std::vector<std::string> bytes;
    for (const char c : text) bytes.emplace_back(1, c);
    EXPECT_EQ(split(thoughts, bytes), expected);
    for (std::size_t i = 0; i <= text.size(); ++i) {
      for (std::size_t j = i; j <= text.size(); ++j) {
        EXPECT_EQ(split(thoughts, {text.substr(0, i), text.substr(i, j - i), text.substr(j)}),
                  expected)
            << i << " " << j;
      }
    }
  }
}

TEST(ThoughtSplitter, HoldsBackOnlyWhatMayBeAMark) {
  ThoughtSplitter splitter(Thoughts::kOpen);
  EXPECT_TRUE(splitter.thinking());
  EXPECT_EQ(splitter.push("\na\n\n"), (Split{"a", ""}));
  EXPECT_EQ(splitter.push("b</"), (Split{"\n\nb", ""}));
  EXPECT_EQ(splitter.push("think"), (Split{"", ""}));
  EXPECT_TRUE(splitter.thinking());
  EXPECT_EQ(splitter.push(">\n"), (Split{"", ""}));
  EXPECT_FALSE(splitter.thinking());
  EXPECT_EQ(splitter.push("\nc\n"), (Split{"", "c\n"}));
  EXPECT_EQ(splitter.push("</"), (Split{"", "</"}));
}

}  // namespace
}  // namespace ocellus::text
