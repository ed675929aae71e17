// Python's methods of str that templates call; what they cut and join keeps its author.
#pragma once

#include <string_view>

#include "text/jinja/value.h"

namespace ocellus::text::jinja {

enum class Side { kBoth, kLeft, kRight };

// Removes characters of `set` (white space when it is null) from the ends.
Text strip(const Text& text, Side side, const Text* set = nullptr);
Text upper(const Text& text);
Text lower(const Text& text);
Text capitalize(const Text& text);  // the first letter upper, the others lower
Text title(const Text& text);       // the same for each word
// At most `limit` cuts (negative: all). A null separator: runs of white space, no empty pieces.
List split(const Text& text, const Text* separator, std::int64_t limit);
Text replace(const Text& text, const Text& from, const Text& to, std::int64_t limit);
Text join(const List& pieces, const Text& separator);

// text.name as a function; undefined for unknown names.
Value text_method(const Text& text, std::string_view name);

}  // namespace ocellus::text::jinja
