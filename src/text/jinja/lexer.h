// A template's source as tokens.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ocellus::text::jinja {

struct Token {
  enum class Kind {
    kText,       // between tags
    kBlock,      // {%
    kBlockEnd,   // %}
    kOutput,     // {{
    kOutputEnd,  // }}
    kName,
    kString,  // `text` is its value
    kInteger,
    kFloat,
    kOperator,
    kEnd,
  } kind;
  std::string text;
  int line;
};

// As transformers sets Jinja up: trim_blocks, lstrip_blocks, no trailing newline; `-` and `+`
// beside the brackets; comments dropped; {% raw %}. Throws Failure.
std::vector<Token> tokenize(std::string_view source);

}  // namespace ocellus::text::jinja
