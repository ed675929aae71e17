// The structure of a regular expression.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "text/constraint/grammar.h"

namespace ocellus::text {

struct RegexNode {
  enum class Kind : std::uint8_t { kCharacters, kSequence, kAlternatives, kRepeat, kStart, kEnd };
  Kind kind = Kind::kSequence;
  CodePoints characters = {};            // kCharacters
  std::vector<RegexNode> children = {};  // of kRepeat: one
  std::uint32_t min = 0, max = 0;        // kRepeat
};

CodePoints complement(const CodePoints& set);

// kInvalidArgument naming `what`, the place and the reason.
Result<RegexNode> parse_regex(std::string_view expression, std::string_view what);

}  // namespace ocellus::text
