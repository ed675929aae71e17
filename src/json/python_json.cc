#include "json/python_json.h"

#include <array>
#include <string>
#include <utility>

namespace ocellus::json {
namespace {

// The word, and a number beyond the range of double, not longer where that can be.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kWords = {{
    {"-Infinity", "-1e999   "},
    {"Infinity", "1e999   "},
    {"NaN", "1e999"},
}};

bool is_part_of_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
         c == '+' || c == '.';
}

// The words outside of strings as numbers; in other company they stay, for the parser to refuse.
std::string with_numbers(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  bool inside = false;  // a string
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (inside && c == '\\' && i + 1 < text.size()) {
      out.append(text.substr(i, 2));
      i += 2;
      continue;
    }
    if (c == '"') inside = !inside;
    if (!inside) {
      bool found = false;
      for (const auto& [word, number] : kWords) {
        if (!text.substr(i).starts_with(word)) continue;
        const std::size_t end = i + word.size();
        if (end < text.size() && is_part_of_word(text[end])) continue;
        if (i > 0 && is_part_of_word(text[i - 1])) continue;
        out += number;
        i += word.size();
        found = true;
        break;
      }
      if (found) continue;
    }
    out += c;
    ++i;
  }
  return out;
}

}  // namespace

Result<bj::value> parse_python(std::string_view text, std::string_view what) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const Limits limits{.reject_duplicate_keys = false};
  const bool words =
      text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos;
  return words ? parse(with_numbers(text), what, limits) : parse(text, what, limits);
}

}  // namespace ocellus::json
