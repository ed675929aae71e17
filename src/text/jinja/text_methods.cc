#include "text/jinja/text_methods.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>

namespace ocellus::text::jinja {
namespace {

constexpr std::string_view kSpaces = " \t\n\r\v\f";

bool is_space(char c) { return kSpaces.find(c) != std::string_view::npos; }

// One code point into another.
Text mapped(const Text& character, utf8proc_int32_t (*function)(utf8proc_int32_t)) {
  utf8proc_int32_t point = 0;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(character.bytes.data());
  if (utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(character.bytes.size()), &point) <= 0)
    return character;
  utf8proc_uint8_t buffer[4];
  const auto length = utf8proc_encode_char(function(point), buffer);
  return {std::string_view(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(length)),
          character.all_trusted()};
}

Text mapped_all(const Text& text, utf8proc_int32_t (*function)(utf8proc_int32_t)) {
  Text result;
  for (const Text& c : characters(text)) result += mapped(c, function);
  return result;
}

const Text& text_argument(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.find(index, name);
  const Text* text = value ? value->get_if<Text>() : nullptr;
  if (!text) throw Failure(fmt::format("argument {}: expected a text", index + 1));
  return *text;
}
const Text* optional_text(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.find(index, name);
  return value && !value->is<None>() ? &text_argument(arguments, index, name) : nullptr;
}
std::int64_t limit_of(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.find(index, name);
  const auto* limit = value ? value->get_if<std::int64_t>() : nullptr;
  return limit ? *limit : -1;
}

std::int64_t count_of(std::string_view text, std::string_view part) {
  if (part.empty()) return 0;
  std::int64_t count = 0;
  for (std::size_t i = 0; (i = text.find(part, i)) != std::string_view::npos; i += part.size())
    ++count;
  return count;
}

bool has_affix(const std::string& text, const Value& affix, bool at_start) {
  if (const auto* several = affix.get_if<List>())
    return std::ranges::any_of(*several,
                               [&](const Value& one) { return has_affix(text, one, at_start); });
  const auto* part = affix.get_if<Text>();
  if (!part) throw Failure("argument 1: expected a text");
  return at_start ? text.starts_with(part->bytes) : text.ends_with(part->bytes);
}

}  // namespace

Text strip(const Text& text, Side side, const Text* set) {
  const std::string_view chars = set ? std::string_view(set->bytes) : kSpaces;
  std::size_t begin = 0, end = text.bytes.size();
  if (side != Side::kRight) begin = std::min(text.bytes.find_first_not_of(chars), end);
  if (side != Side::kLeft) end = std::max(text.bytes.find_last_not_of(chars) + 1, begin);
  return text.substr(begin, end - begin);
}

Text upper(const Text& text) { return mapped_all(text, utf8proc_toupper); }
Text lower(const Text& text) { return mapped_all(text, utf8proc_tolower); }

Text capitalize(const Text& text) {
  Text result;
  for (const Text& c : characters(text))
    result += mapped(c, result.bytes.empty() ? utf8proc_toupper : utf8proc_tolower);
  return result;
}

Text title(const Text& text) {
  Text result;
  bool begins = true;
  for (const Text& c : characters(text)) {
    result += mapped(c, begins ? utf8proc_toupper : utf8proc_tolower);
    const char first = c.bytes[0];
    begins = static_cast<unsigned char>(first) < 0x80 &&
             !std::isalpha(static_cast<unsigned char>(first));
  }
  return result;
}

List split(const Text& text, const Text* separator, std::int64_t limit) {
  List pieces;
  std::size_t begin = 0;
  const std::string& bytes = text.bytes;
  if (separator) {
    if (separator->bytes.empty()) throw Failure("split: empty separator");
    while (limit != 0) {
      const std::size_t end = bytes.find(separator->bytes, begin);
      if (end == std::string::npos) break;
      pieces.emplace_back(text.substr(begin, end - begin));
      begin = end + separator->bytes.size();
      --limit;
    }
    pieces.emplace_back(text.substr(begin));
    return pieces;
  }
  while (true) {
    while (begin < bytes.size() && is_space(bytes[begin])) ++begin;
    if (begin == bytes.size()) return pieces;
    if (limit-- == 0) break;
    const std::size_t end = std::min(bytes.find_first_of(kSpaces, begin), bytes.size());
    pieces.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  pieces.emplace_back(text.substr(begin));
  return pieces;
}

Text replace(const Text& text, const Text& from, const Text& to, std::int64_t limit) {
  if (from.bytes.empty()) throw Failure("replace: empty text to replace");
  Text result;
  std::size_t begin = 0;
  for (; limit != 0; --limit) {
    const std::size_t end = text.bytes.find(from.bytes, begin);
    if (end == std::string::npos) break;
    result += text.substr(begin, end - begin);
    result += to;
    begin = end + from.bytes.size();
  }
  return result += text.substr(begin);
}

Text join(const List& pieces, const Text& separator) {
  Text result;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) result += separator;
    result += to_text(pieces[i]);
  }
  return result;
}

Value text_method(const Text& text, std::string_view name) {
  const auto stripper = [&](Side side) {
    return Function([text, side](const Arguments& a) {
      return Value(strip(text, side, optional_text(a, 0, "chars")));
    });
  };
  const auto plain = [&](Text (*function)(const Text&)) {
    return Function([text, function](const Arguments&) { return Value(function(text)); });
  };
  const auto affix = [&](bool at_start) {
    return Function([text, at_start](const Arguments& a) {
      const Value* part = a.find(0, "prefix");
      if (!part) throw Failure("argument 1 is missing");
      return Value(has_affix(text.bytes, *part, at_start));
    });
  };
  const auto all_of = [&](int (*is_kind)(int)) {
    return Function([text, is_kind](const Arguments&) {
      return Value(!text.bytes.empty() && std::ranges::all_of(text.bytes, [&](char c) {
        return is_kind(static_cast<unsigned char>(c)) != 0;
      }));
    });
  };
  if (name == "strip") return stripper(Side::kBoth);
  if (name == "lstrip") return stripper(Side::kLeft);
  if (name == "rstrip") return stripper(Side::kRight);
  if (name == "upper") return plain(upper);
  if (name == "lower") return plain(lower);
  if (name == "capitalize") return plain(capitalize);
  if (name == "title") return plain(title);
  if (name == "startswith") return affix(true);
  if (name == "endswith") return affix(false);
  if (name == "isdigit") return all_of(std::isdigit);
  if (name == "isalpha") return all_of(std::isalpha);
  if (name == "isspace") return all_of(std::isspace);
  if (name == "split") {
    return Function([text](const Arguments& a) {
      return Value(split(text, optional_text(a, 0, "sep"), limit_of(a, 1, "maxsplit")));
    });
  }
  if (name == "splitlines") {
    return Function([text](const Arguments&) {
      const Text newline("\n", true);
      List lines = split(text, &newline, -1);
      if (lines.back().get_if<Text>()->bytes.empty()) lines.pop_back();
      return Value(std::move(lines));
    });
  }
  if (name == "replace") {
    return Function([text](const Arguments& a) {
      return Value(replace(text, text_argument(a, 0, "old"), text_argument(a, 1, "new"),
                           limit_of(a, 2, "count")));
    });
  }
  if (name == "join") {
    return Function([text](const Arguments& a) {
      const Value* pieces = a.find(0, "iterable");
      return Value(join(pieces ? items_of(*pieces) : List{}, text));
    });
  }
  if (name == "find" || name == "count") {
    return Function([text, find = name == "find"](const Arguments& a) {
      const std::string& part = text_argument(a, 0, "sub").bytes;
      if (!find) return Value(count_of(text.bytes, part));
      const std::size_t at = text.bytes.find(part);
      if (at == std::string::npos) return Value(std::int64_t{-1});
      return Value(static_cast<std::int64_t>(characters(text.substr(0, at)).size()));
    });
  }
  return Undefined{std::string(name)};
}

}  // namespace ocellus::text::jinja
