#include "text/jinja/text_methods.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "text/jinja/text_form.h"

namespace ocellus::text::jinja {
namespace {

utf8proc_int32_t point_at(std::string_view text, std::size_t at, std::size_t length) {
  utf8proc_int32_t point = -1;  // stays for ill-formed bytes
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                   static_cast<utf8proc_ssize_t>(length), &point);
  return point;
}

// Python's str.isspace().
bool is_space(utf8proc_int32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 28 && c <= 32);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

// Where the character that ends before `end` begins.
std::size_t character_before(std::string_view text, std::size_t end) {
  std::size_t begin = end - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

const Text& need_text(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.find(index, name);
  const Text* text = value ? value->get_if<Text>() : nullptr;
  if (!text) {
    throw Failure(fmt::format("argument {}: expected a string, found {}", index + 1,
                              value ? value->type_name() : "none"));
  }
  return *text;
}
const Text* optional_text(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.find(index, name);
  return value && !value->is<None>() ? &need_text(arguments, index, name) : nullptr;
}
std::int64_t limit_of(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.find(index, name);
  if (!value) return -1;
  if (!value->is_integer()) {
    throw Failure(
        fmt::format("argument {}: expected an integer, found {}", index + 1, value->type_name()));
  }
  return value->integer();
}

bool has_affix(const std::string& text, const Value& affix, bool at_start, Budget& budget) {
  if (const auto* several = affix.get_if<List>()) {
    return std::ranges::any_of(*several, [&](const Value& one) {
      budget.steps();
      return !one.is<List>() && has_affix(text, one, at_start, budget);
    });
  }
  const auto* part = affix.get_if<Text>();
  if (!part)
    throw Failure(fmt::format("argument 1: expected a string, found {}", affix.type_name()));
  budget.scan(std::min(text.size(), part->bytes.size()));
  return at_start ? text.starts_with(part->bytes) : text.ends_with(part->bytes);
}

template <bool at_start>
Value affix_method(const Value& self, const Arguments& arguments, Budget& budget) {
  const Value* part = arguments.find(0, at_start ? "prefix" : "suffix");
  if (!part) throw Failure("argument 1: expected a string, found none");
  return has_affix(self.get_if<Text>()->bytes, *part, at_start, budget);
}

template <Side side>
Value strip_method(const Value& self, const Arguments& arguments, Budget& budget) {
  return strip(self, side, optional_text(arguments, 0, "chars"), budget);
}

template <Case form>
Value case_method(const Value& self, const Arguments&, Budget& budget) {
  return change_case(*self.get_if<Text>(), form, budget);
}

template <int (*is_kind)(int)>
Value kind_method(const Value& self, const Arguments&, Budget& budget) {
  const std::string& text = self.get_if<Text>()->bytes;
  budget.scan(text.size());
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_kind(static_cast<unsigned char>(c)) != 0;
  });
}

Value split_method(const Value& self, const Arguments& a, Budget& budget) {
  return split(*self.get_if<Text>(), optional_text(a, 0, "sep"), limit_of(a, 1, "maxsplit"),
               budget);
}

Value lines_method(const Value& self, const Arguments&, Budget& budget) {
  return split_lines(*self.get_if<Text>(), budget);
}

Value replace_method(const Value& self, const Arguments& a, Budget& budget) {
  return replace(*self.get_if<Text>(), need_text(a, 0, "old"), need_text(a, 1, "new"),
                 limit_of(a, 2, "count"), budget);
}

Value join_method(const Value& self, const Arguments& arguments, Budget& budget) {
  const Value* items = arguments.find(0, "iterable");
  if (!items) throw Failure("argument 1: expected a list, found none");
  return join(Items(*items, budget).list(), *self.get_if<Text>(), budget);
}

Value find_method(const Value& self, const Arguments& arguments, Budget& budget) {
  const std::string& text = self.get_if<Text>()->bytes;
  const std::size_t at = find_text(text, need_text(arguments, 0, "sub").bytes, 0, budget);
  if (at == std::string::npos) return std::int64_t{-1};
  return count_characters(std::string_view(text).substr(0, at), budget);
}

Value count_method(const Value& self, const Arguments& arguments, Budget& budget) {
  const std::string &text = self.get_if<Text>()->bytes,
                    &part = need_text(arguments, 0, "sub").bytes;
  if (part.empty()) return count_characters(text, budget) + 1;
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = find_text(text, part, at, budget)) != std::string::npos;
       at += part.size()) {
    budget.steps();
    ++count;
  }
  return count;
}

struct Method {
  std::string_view name, parameters;
  Native native;
};

constexpr Method kMethods[] = {
    {"strip", "chars", strip_method<Side::kBoth>},
    {"lstrip", "chars", strip_method<Side::kLeft>},
    {"rstrip", "chars", strip_method<Side::kRight>},
    {"upper", "", case_method<Case::kUpper>},
    {"lower", "", case_method<Case::kLower>},
    {"capitalize", "", case_method<Case::kCapitalize>},
    {"title", "", case_method<Case::kTitle>},
    {"startswith", "prefix", affix_method<true>},
    {"endswith", "suffix", affix_method<false>},
    {"isdigit", "", kind_method<std::isdigit>},
    {"isalpha", "", kind_method<std::isalpha>},
    {"isspace", "", kind_method<std::isspace>},
    {"split", "sep maxsplit", split_method},
    {"splitlines", "", lines_method},
    {"replace", "old new count", replace_method},
    {"join", "iterable", join_method},
    {"find", "sub", find_method},
    {"count", "sub", count_method},
};

}  // namespace

Value strip(const Value& value, Side side, const Text* set, Budget& budget) {
  const Text& text = *value.get_if<Text>();
  const std::string_view bytes = text.bytes;
  std::vector<utf8proc_int32_t> points;
  if (set) {
    budget.items(set->bytes.size());
    for (std::size_t i = 0, length = 0; i < set->bytes.size(); i += length) {
      length = character_length(set->bytes, i);
      points.push_back(point_at(set->bytes, i, length));
    }
    std::ranges::sort(points);
  }
  const auto removed = [&](std::size_t at, std::size_t length) {
    const utf8proc_int32_t point = point_at(bytes, at, length);
    return set ? std::ranges::binary_search(points, point) : is_space(point);
  };
  std::size_t begin = 0, end = bytes.size();
  while (side != Side::kRight && begin < end) {
    const std::size_t length = character_length(bytes, begin);
    if (!removed(begin, length)) break;
    begin += length;
  }
  while (side != Side::kLeft && end > begin) {
    const std::size_t before = character_before(bytes, end);
    if (!removed(before, end - before)) break;
    end = before;
  }
  budget.steps(static_cast<std::int64_t>(begin + (bytes.size() - end)) / 16);
  if (begin == 0 && end == bytes.size()) return value;
  TextBuilder kept(budget);
  kept.add(text, begin, end - begin);
  return std::move(kept).build();
}

Text change_case(const Text& text, Case form, Budget& budget) {
  TextBuilder result(budget);
  budget.steps(static_cast<std::int64_t>(text.bytes.size()) / 16);
  bool begins = true;  // a word, or the string
  for (std::size_t i = 0, length = 0; i < text.bytes.size(); i += length) {
    length = character_length(text.bytes, i);
    const utf8proc_int32_t point = point_at(text.bytes, i, length);
    const bool up = form == Case::kUpper || (form != Case::kLower && begins);
    begins = form == Case::kTitle && point >= 0 && point < 0x80 &&
             !std::isalpha(static_cast<int>(point));
    if (point < 0) {
      result.add(text, i, length);
      continue;
    }
    utf8proc_uint8_t buffer[4];
    const auto size =
        utf8proc_encode_char(up ? utf8proc_toupper(point) : utf8proc_tolower(point), buffer);
    const bool trusted =
        std::string_view(text.trusted).substr(i, length).find('\0') == std::string_view::npos;
    result.add({reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(size)}, trusted);
  }
  return std::move(result).build();
}

Value split(const Text& text, const Text* separator, std::int64_t limit, Budget& budget) {
  ListBuilder parts(budget);
  const std::string_view bytes = text.bytes;
  const auto add = [&](std::size_t begin, std::size_t end) {
    TextBuilder part(budget);
    part.add(text, begin, end - begin);
    parts.add(std::move(part).build());
  };
  std::size_t begin = 0;
  if (separator) {
    if (separator->bytes.empty()) throw Failure("split: expected a separator, found an empty one");
    for (; limit != 0; --limit) {
      const std::size_t end = find_text(bytes, separator->bytes, begin, budget);
      if (end == std::string::npos) break;
      add(begin, end);
      begin = end + separator->bytes.size();
    }
    add(begin, bytes.size());
    return std::move(parts).build();
  }
  const auto skip = [&](std::size_t at, bool spaces) {
    while (at < bytes.size()) {
      const std::size_t length = character_length(bytes, at);
      if (is_space(point_at(bytes, at, length)) != spaces) break;
      at += length;
    }
    return at;
  };
  budget.steps(static_cast<std::int64_t>(bytes.size()) / 16);
  while ((begin = skip(begin, true)) < bytes.size()) {
    const std::size_t end = limit-- == 0 ? bytes.size() : skip(begin, false);
    add(begin, end);
    begin = end;
  }
  return std::move(parts).build();
}

Value split_lines(const Text& text, Budget& budget) {
  const Text newline("\n");
  if (text.bytes.empty()) return List();
  if (!text.bytes.ends_with('\n')) return split(text, &newline, -1, budget);
  TextBuilder lines(budget);
  lines.add(text, 0, text.bytes.size() - 1);
  return split(std::move(lines).build(), &newline, -1, budget);
}

Text replace(const Text& text, const Text& from, const Text& to, std::int64_t limit,
             Budget& budget) {
  if (from.bytes.empty())
    throw Failure("replace: expected a string to replace, found an empty one");
  TextBuilder result(budget);
  std::size_t begin = 0;
  for (; limit != 0; --limit) {
    const std::size_t end = find_text(text.bytes, from.bytes, begin, budget);
    if (end == std::string::npos) break;
    budget.steps();
    result.add(text, begin, end - begin);
    result.add(to);
    begin = end + from.bytes.size();
  }
  result.add(text, begin, text.bytes.size() - begin);
  return std::move(result).build();
}

Text join(const List& items, const Text& separator, Budget& budget) {
  TextBuilder result(budget);
  bool first = true;
  for (const Value& item : items) {
    budget.steps();
    if (!std::exchange(first, false)) result.add(separator);
    result.add(*to_text(item, budget));
  }
  return std::move(result).build();
}

Value text_method(const Value& text, std::string_view name) {
  const auto* method = std::ranges::find(kMethods, name, &Method::name);
  if (method == std::end(kMethods)) return {};
  return Function{.native = method->native, .parameters = method->parameters, .self = text};
}

}  // namespace ocellus::text::jinja
