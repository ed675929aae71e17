#include "text/jinja/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ocellus::text::jinja {
namespace {

constexpr int kMaxNesting = 64;

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

// Python's repr() of a text.
std::string in_quotes(std::string_view text) {
  const char quote =
      text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"'
                                                                                            : '\'';
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else if (c == '\t') {
      result += "\\t";
    } else if (c == '\r') {
      result += "\\r";
    } else {
      result += c;
    }
  }
  return result + quote;
}

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        result += "\\\"";
        break;
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      case '\t':
        result += "\\t";
        break;
      case '\b':
        result += "\\b";
        break;
      case '\f':
        result += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          result += fmt::format("\\u{:04x}", static_cast<int>(c));
        } else {
          result += c;
        }
    }
  }
  return result + '"';
}

bool all_trusted(const Value& value, int depth) {
  if (depth > kMaxNesting) throw Failure("values are nested too deeply");
  if (const auto* text = value.get_if<Text>()) return text->all_trusted();
  if (const auto* list = value.get_if<List>()) {
    return std::ranges::all_of(*list, [&](const Value& v) { return all_trusted(v, depth + 1); });
  }
  if (const auto* map = value.get_if<Map>()) {
    return std::ranges::all_of(
        *map, [&](const auto& entry) { return all_trusted(entry.second, depth + 1); });
  }
  return true;
}

enum class Notation { kPython, kJson };

class Writer {
 public:
  Writer(Notation notation, int indent) : json_(notation == Notation::kJson), indent_(indent) {}

  std::string write(const Value& value, int depth) const {
    if (depth > kMaxNesting) throw Failure("values are nested too deeply");
    if (const auto* b = value.get_if<bool>())
      return json_ ? (*b ? "true" : "false") : (*b ? "True" : "False");
    if (const auto* i = value.get_if<std::int64_t>()) return fmt::format("{}", *i);
    if (const auto* d = value.get_if<double>()) return number_text(*d);
    if (const auto* text = value.get_if<Text>())
      return json_ ? json_text(text->bytes) : in_quotes(text->bytes);
    if (const auto* list = value.get_if<List>()) {
      return group('[', ']', list->size(), depth,
                   [&](std::size_t i) { return write((*list)[i], depth + 1); });
    }
    if (const auto* map = value.get_if<Map>()) {
      return group('{', '}', map->size(), depth, [&](std::size_t i) {
        const auto& [key, held] = (*map)[i];
        return (json_ ? json_text(key) : in_quotes(key)) + ": " + write(held, depth + 1);
      });
    }
    if (value.is<None>()) return json_ ? "null" : "None";
    if (json_) throw Failure(fmt::format("{} has no JSON form", value.type_name()));
    return value.is<Undefined>() ? "Undefined" : "<function>";
  }

 private:
  template <typename Item>
  std::string group(char open, char close, std::size_t count, int depth, const Item& item) const {
    std::string text(1, open);
    const auto line = [&](int level) {
      return "\n" + std::string(static_cast<std::size_t>(indent_ * level), ' ');
    };
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) text += indent_ > 0 ? "," : ", ";
      if (indent_ > 0) text += line(depth + 1);
      text += item(i);
    }
    if (indent_ > 0 && count > 0) text += line(depth);
    return text + close;
  }

  bool json_;
  int indent_;
};

}  // namespace

Text Text::substr(std::size_t begin, std::size_t length) const {
  Text part;
  part.bytes = bytes.substr(begin, length);
  part.trusted = trusted.substr(begin, length);
  return part;
}

Text& Text::operator+=(const Text& other) {
  bytes += other.bytes;
  trusted += other.trusted;
  return *this;
}

const Value* Arguments::find(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  return jinja::find(named, name);
}

bool Value::truthy() const {
  if (const auto* b = get_if<bool>()) return *b;
  if (const auto* i = get_if<std::int64_t>()) return *i != 0;
  if (const auto* d = get_if<double>()) return *d != 0;
  if (const auto* text = get_if<Text>()) return !text->bytes.empty();
  if (const auto* list = get_if<List>()) return !list->empty();
  if (const auto* map = get_if<Map>()) return !map->empty();
  return is<Function>();
}

double Value::number() const {
  if (const auto* b = get_if<bool>()) return *b ? 1 : 0;
  if (const auto* i = get_if<std::int64_t>()) return static_cast<double>(*i);
  if (const auto* d = get_if<double>()) return *d;
  throw Failure(fmt::format("expected a number, found {}", type_name()));
}

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"undefined",  "none",      "a boolean",
                                         "an integer", "a float",   "a text",
                                         "a list",     "a mapping", "a function"};
  return kNames[data_.index()];
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const auto* i = a.get_if<std::int64_t>();
    const auto* j = b.get_if<std::int64_t>();
    return i && j ? *i == *j : a.number() == b.number();
  }
  if (const auto* s = a.get_if<Text>(), *t = b.get_if<Text>(); s && t) return s->bytes == t->bytes;
  if (const auto* l = a.get_if<List>(), *m = b.get_if<List>(); l && m)
    return std::ranges::equal(*l, *m, equal);
  if (const auto* l = a.get_if<Map>(), *m = b.get_if<Map>(); l && m) {
    return l->size() == m->size() && std::ranges::all_of(*l, [&](const auto& entry) {
             const Value* other = find(*m, entry.first);
             return other && equal(entry.second, *other);
           });
  }
  return (a.is<None>() && b.is<None>()) || (a.is<Undefined>() && b.is<Undefined>());
}

bool less(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const auto* i = a.get_if<std::int64_t>();
    const auto* j = b.get_if<std::int64_t>();
    return i && j ? *i < *j : a.number() < b.number();
  }
  if (const auto* s = a.get_if<Text>(), *t = b.get_if<Text>(); s && t) return s->bytes < t->bytes;
  throw Failure(fmt::format("{} and {} have no order", a.type_name(), b.type_name()));
}

bool contains(const Value& haystack, const Value& needle) {
  if (const auto* list = haystack.get_if<List>())
    return std::ranges::any_of(*list, [&](const Value& v) { return equal(v, needle); });
  const auto* text = needle.get_if<Text>();
  if (const auto* map = haystack.get_if<Map>()) return text && find(*map, text->bytes) != nullptr;
  if (const auto* in = haystack.get_if<Text>(); in && text)
    return in->bytes.find(text->bytes) != std::string::npos;
  if (haystack.is<Undefined>()) return false;
  throw Failure(
      fmt::format("{} cannot be looked for in {}", needle.type_name(), haystack.type_name()));
}

Text to_text(const Value& value) {
  if (const auto* text = value.get_if<Text>()) return *text;
  if (value.is<Undefined>()) return {};
  return {Writer(Notation::kPython, 0).write(value, 0), all_trusted(value, 0)};
}

Text to_json(const Value& value, int indent) {
  return {Writer(Notation::kJson, indent).write(value, 0), all_trusted(value, 0)};
}

const Value* find(const Map& map, std::string_view name) {
  const auto it = std::ranges::find(map, name, &Map::value_type::first);
  return it == map.end() ? nullptr : &it->second;
}

List items_of(const Value& value) {
  if (const auto* list = value.get_if<List>()) return *list;
  List items;
  if (const auto* map = value.get_if<Map>()) {
    for (const auto& [key, held] : *map) items.emplace_back(Text(key, true));
  } else if (const auto* text = value.get_if<Text>()) {
    for (Text& c : characters(*text)) items.emplace_back(std::move(c));
  } else if (!value.is<Undefined>()) {
    throw Failure(fmt::format("expected a list, found {}", value.type_name()));
  }
  return items;
}

std::vector<Text> characters(const Text& text) {
  std::vector<Text> result;
  for (std::size_t i = 0; i < text.bytes.size();) {
    std::size_t end = i + 1;
    while (end < text.bytes.size() && (static_cast<unsigned char>(text.bytes[end]) & 0xC0) == 0x80)
      ++end;
    result.push_back(text.substr(i, end - i));
    i = end;
  }
  return result;
}

}  // namespace ocellus::text::jinja
