// Tells which bytes may come next in an answer of a given form, for comparisons with other programs:
// a line "S SCHEMA" begins an answer, "B NUMBER" adds a byte; each is answered by "accepts" or
// "open" and the bytes that may follow, or by "error" and why.
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>

#include "text/constraint/matcher.h"
#include "text/constraint/response_grammar.h"

int main() {
  using namespace ocellus;
  std::optional<text::Matcher> matcher;
  text::Matcher::State now, next;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.starts_with("S ")) {
      const auto grammar = text::response_grammar(
          {.kind = ResponseFormat::Kind::kJsonSchema, .text = line.substr(2)});
      if (!grammar) {
        std::cout << "error " << grammar.error().message << std::endl;
        continue;
      }
      matcher.emplace(*grammar);
      now = matcher->start();
    } else if (line.starts_with("B ") && matcher) {
      matcher->step(now, static_cast<std::uint8_t>(std::atoi(line.c_str() + 2)), next);
      std::swap(now, next);
    } else {
      std::cout << "error expected S SCHEMA, then B NUMBER" << std::endl;
      continue;
    }
    std::cout << (matcher->accepts(now) ? "accepts" : "open");
    for (int byte = 0; byte < 256; ++byte) {
      matcher->step(now, static_cast<std::uint8_t>(byte), next);
      if (!next.empty()) std::cout << ' ' << byte;
    }
    std::cout << std::endl;
  }
  return 0;
}
