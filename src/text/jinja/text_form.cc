#include "text/jinja/text_form.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace ocellus::text::jinja {
namespace {

enum class Notation { kPython, kJson };

// Python's repr() of a float.
std::string number_text(double value, Notation notation) {
  const bool json = notation == Notation::kJson;
  if (std::isnan(value)) return json ? "NaN" : "nan";
  if (std::isinf(value)) {
    const std::string_view name = json ? "Infinity" : "inf";
    return fmt::format("{}{}", value > 0 ? "" : "-", name);
  }
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// The whole form is collected as trusted, and marked at the end.
class Writer {
 public:
  Writer(Notation notation, const JsonStyle& style, Budget& budget)
      : json_(notation == Notation::kJson), style_(style), budget_(budget), out_(budget) {}

  Text run(const Value& value) {
    write(value, 0);
    Text text = std::move(out_).build();
    if (!all_trusted_) text.trusted.assign(text.bytes.size(), '\0');
    return text;
  }

 private:
  void write(const Value& value, int depth) {
    budget_.steps();
    if (const auto* b = value.get_if<bool>()) {
      add(json_ ? (*b ? "true" : "false") : (*b ? "True" : "False"));
    } else if (const auto* i = value.get_if<std::int64_t>()) {
      add(fmt::format("{}", *i));
    } else if (const auto* d = value.get_if<double>()) {
      add(number_text(*d, json_ ? Notation::kJson : Notation::kPython));
    } else if (const auto* text = value.get_if<Text>()) {
      quoted(*text);
    } else if (const auto* list = value.get_if<List>()) {
      group('[', ']', list->size(), depth, [&](std::size_t n) { write((*list)[n], depth + 1); });
    } else if (const auto* map = value.get_if<Map>()) {
      write_map(*map, depth);
    } else if (value.is<None>()) {
      add(json_ ? "null" : "None");
    } else if (json_) {
      throw Failure(fmt::format("{} has no JSON form", value.type_name()));
    } else {
      add(value.is<Undefined>() ? "Undefined" : fmt::format("<{}>", value.type_name().substr(2)));
    }
  }

  void write_map(const Map& map, int depth) {
    std::vector<const Map::value_type*> entries;
    for (const auto& entry : map) entries.push_back(&entry);
    if (json_ && style_.sort_keys) {
      std::ranges::sort(
          entries, [](const auto* a, const auto* b) { return a->first.bytes < b->first.bytes; });
    }
    budget_.steps(static_cast<std::int64_t>(entries.size()));
    group('{', '}', entries.size(), depth, [&](std::size_t i) {
      quoted(entries[i]->first);
      add(json_ ? style_.after_key : ": ");
      write(entries[i]->second, depth + 1);
    });
  }

  template <typename Item>
  void group(char open, char close, std::size_t count, int depth, const Item& item) {
    add({&open, 1});
    const auto line = [&](int level) {
      const auto width = static_cast<std::size_t>(*style_.indent * level);
      add("\n");
      add(std::string(width, ' '));
    };
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) add(json_ ? style_.between : ", ");
      if (style_.indent) line(depth + 1);
      item(i);
    }
    if (style_.indent && count > 0) line(depth);
    add({&close, 1});
  }

  void quoted(const Text& text) {
    budget_.scan(text.bytes.size());
    all_trusted_ &= text.all_trusted();
    if (json_) {
      json_string(text.bytes);
    } else {
      python_string(text.bytes);
    }
  }

  // Python's repr() of a string.
  void python_string(std::string_view text) {
    const bool has_single = text.find('\'') != std::string_view::npos;
    const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
    add({&quote, 1});
    escaped(text, [&](char c) -> std::string {
      if (c == quote || c == '\\') return {'\\', c};
      if (c == '\n') return "\\n";
      if (c == '\t') return "\\t";
      if (c == '\r') return "\\r";
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
        return fmt::format("\\x{:02x}", static_cast<int>(c));
      return {};
    });
    add({&quote, 1});
  }

  void json_string(std::string_view text) {
    add("\"");
    if (style_.ensure_ascii) {
      ascii(text);
    } else {
      escaped(text, json_escape);
    }
    add("\"");
  }

  static std::string json_escape(char c) {
    constexpr std::string_view kFrom = "\"\\\n\r\t\b\f", kTo = "\"\\nrtbf";
    if (const auto at = kFrom.find(c); at != std::string_view::npos) return {'\\', kTo[at]};
    if (static_cast<unsigned char>(c) < 0x20) return fmt::format("\\u{:04x}", static_cast<int>(c));
    return {};
  }

  // Characters beyond ASCII as \uXXXX, in UTF-16.
  void ascii(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t length = character_length(text, i);
      utf8proc_int32_t point = 0;
      if (length == 1 ||
          utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + i),
                           static_cast<utf8proc_ssize_t>(length), &point) <= 0) {
        const std::string escape = json_escape(text[i]);
        add(escape.empty() ? text.substr(i, length) : std::string_view(escape));
      } else if (point < 0x10000) {
        add(fmt::format("\\u{:04x}", point));
      } else {
        const utf8proc_int32_t high = 0xD800 + ((point - 0x10000) >> 10),
                               low = 0xDC00 + ((point - 0x10000) & 0x3FF);
        add(fmt::format("\\u{:04x}\\u{:04x}", high, low));
      }
      i += length;
    }
  }

  // The text with the characters that have an escape replaced by it.
  template <typename Escape>
  void escaped(std::string_view text, const Escape& escape) {
    std::size_t done = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::string replacement = escape(text[i]);
      if (replacement.empty()) continue;
      add(text.substr(done, i - done));
      add(replacement);
      done = i + 1;
    }
    add(text.substr(done));
  }

  void add(std::string_view text) { out_.add(text, true); }

  bool json_;
  const JsonStyle& style_;
  Budget& budget_;
  TextBuilder out_;
  bool all_trusted_ = true;
};

// Python allows white space around a number and single underscores between digits.
std::string number_characters(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\n\r\v\f";
  const std::size_t begin = std::min(text.find_first_not_of(kSpaces), text.size());
  text = text.substr(begin, text.find_last_not_of(kSpaces) + 1 - begin);
  std::string digits;
  for (std::size_t i = 0; i < text.size() && i < 400; ++i) {
    const auto is_digit = [&](std::size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '9';
    };
    if (text[i] == '_' && i > 0 && is_digit(i - 1) && is_digit(i + 1)) continue;
    digits += text[i];
  }
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.erase(0, 1);
  return digits;
}

}  // namespace

TextPtr to_text(const Value& value, Budget& budget) {
  if (TextPtr text = value.text_ptr()) return text;
  if (value.is<Undefined>()) return std::make_shared<const Text>();
  auto text = std::make_shared<const Text>(Writer(Notation::kPython, {}, budget).run(value));
  if (!text->all_trusted()) budget.set_wrote_container();
  return text;
}

Text to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  return Writer(Notation::kJson, style, budget).run(value);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const std::string digits = number_characters(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range)
    throw Failure("integer beyond 64 bits: expected at most 9223372036854775807");
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<double> parse_float(std::string_view text) {
  const std::string digits = number_characters(text);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  // Too large or too small for a double: Python gives infinity or zero.
  if (error == std::errc::result_out_of_range) {
    const bool small = digits.find("e-") != std::string::npos ||
                       digits.find("E-") != std::string::npos ||
                       digits.find_first_of("123456789") > digits.find('.');
    value = small ? 0 : HUGE_VAL;
    return digits[0] == '-' ? -value : value;
  }
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

}  // namespace ocellus::text::jinja
