// Python's methods of str that templates call; what they cut and join keeps its author.
#pragma once

#include <cstdint>
#include <string_view>

#include "text/jinja/value.h"

namespace ocellus::text::jinja {

enum class Side { kBoth, kLeft, kRight };

// Removes characters of `set` (white space when it is null) from the ends. Requires a string.
Value strip(const Value& text, Side side, const Text* set, Budget& budget);

enum class Case { kUpper, kLower, kCapitalize, kTitle };
Text change_case(const Text& text, Case form, Budget& budget);

// At most `limit` cuts (negative: all). A null separator: runs of white space, no empty strings.
Value split(const Text& text, const Text* separator, std::int64_t limit, Budget& budget);
Value split_lines(const Text& text, Budget& budget);
Text replace(const Text& text, const Text& from, const Text& to, std::int64_t limit,
             Budget& budget);
// The items as to_text() writes them.
Text join(const List& items, const Text& separator, Budget& budget);

// text.name as a function; undefined for unknown names. Requires a string.
Value text_method(const Value& text, std::string_view name);

}  // namespace ocellus::text::jinja
