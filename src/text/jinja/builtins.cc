#include "text/jinja/builtins.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "text/jinja/text_methods.h"

namespace ocellus::text::jinja {
namespace {

constexpr std::int64_t kMaxRange = 100'000;

Value text_value(std::string_view text) { return Text(text, true); }

Text need_text(const Value& value, std::string_view what) {
  if (const auto* text = value.get_if<Text>()) return *text;
  if (value.is<Undefined>()) return {};
  throw Failure(fmt::format("{}: expected a text, found {}", what, value.type_name()));
}

std::int64_t length_of(const Value& value) {
  if (const auto* text = value.get_if<Text>())
    return static_cast<std::int64_t>(characters(*text).size());
  if (const auto* map = value.get_if<Map>()) return static_cast<std::int64_t>(map->size());
  return static_cast<std::int64_t>(items_of(value).size());
}

// Jinja's attribute paths: "a.b" and "0".
Value attribute_of(const Value& value, std::string_view path) {
  Value current = value;
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const std::string_view step = path.substr(0, dot);
    const bool digits = std::ranges::all_of(step, [](char c) { return c >= '0' && c <= '9'; });
    current = digits && step.size() < 10
                  ? item_of(current, Value(static_cast<std::int64_t>(std::stoi(std::string(step)))))
                  : item_of(current, text_value(step));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return current;
}

std::string attribute_argument(const Arguments& arguments, std::size_t index) {
  const Value* name = arguments.find(index, "attribute");
  return name ? need_text(*name, "attribute").bytes : std::string();
}

// select, reject and their attribute forms.
Value selected(const Value& value, const Arguments& arguments, bool by_attribute, bool keep) {
  const std::string path = by_attribute ? attribute_argument(arguments, 0) : std::string();
  const std::size_t test_index = by_attribute ? 1 : 0;
  const Value* test = arguments.find(test_index, "test");
  Arguments rest;
  for (std::size_t i = test_index + 1; i < arguments.positional.size(); ++i)
    rest.positional.push_back(arguments.positional[i]);
  List kept;
  for (const Value& item : items_of(value)) {
    const Value tested = by_attribute ? attribute_of(item, path) : item;
    const bool passes =
        test ? apply_test(need_text(*test, "test").bytes, tested, rest) : tested.truthy();
    if (passes == keep) kept.push_back(item);
  }
  return kept;
}

Value mapped(const Value& value, const Arguments& arguments) {
  List result;
  if (const Value* attribute = find(arguments.named, "attribute")) {
    const std::string path = need_text(*attribute, "map").bytes;
    const Value* fallback = find(arguments.named, "default");
    for (const Value& item : items_of(value)) {
      Value found = attribute_of(item, path);
      result.push_back(found.is<Undefined>() && fallback ? *fallback : found);
    }
    return result;
  }
  if (arguments.positional.empty()) throw Failure("map: expected a filter or an attribute");
  const std::string name = need_text(arguments.positional[0], "map").bytes;
  Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()}, arguments.named};
  for (const Value& item : items_of(value)) result.push_back(apply_filter(name, item, rest));
  return result;
}

Value sorted(const Value& value, const Arguments& arguments) {
  List items = items_of(value);
  const Value* reverse = arguments.find(0, "reverse");
  const Value* attribute = find(arguments.named, "attribute");
  const std::string path = attribute ? need_text(*attribute, "sort").bytes : "";
  const auto before = [&](const Value& a, const Value& b) {
    return less(attribute_of(a, path), attribute_of(b, path));
  };
  std::ranges::stable_sort(items, before);
  if (reverse && reverse->truthy()) std::ranges::reverse(items);
  return items;
}

Value unique(const Value& value) {
  List result;
  for (const Value& item : items_of(value)) {
    if (!std::ranges::any_of(result, [&](const Value& v) { return equal(v, item); }))
      result.push_back(item);
  }
  return result;
}

Value pairs_of(const Value& value) {
  List pairs;
  if (value.is<Undefined>()) return pairs;
  const auto* map = value.get_if<Map>();
  if (!map) throw Failure(fmt::format("items: expected a mapping, found {}", value.type_name()));
  for (const auto& [key, held] : *map) pairs.emplace_back(List{text_value(key), held});
  return pairs;
}

Value reversed(const Value& value) {
  List items = items_of(value);
  std::ranges::reverse(items);
  if (value.is<Text>()) return join(items, {});
  return items;
}

Text indented(const Text& text, const Arguments& arguments) {
  const Value* width = arguments.find(0, "width");
  const Value* first = arguments.find(1, "first");
  const auto* spaces = width ? width->get_if<std::int64_t>() : nullptr;
  const std::int64_t count = std::clamp<std::int64_t>(spaces ? *spaces : 4, 0, 100);
  const Text margin(std::string(static_cast<std::size_t>(count), ' '), true);
  const Text newline("\n", true);
  Text result;
  bool begins = true;
  for (const Value& line : split(text, &newline, -1)) {
    if (!begins) result += newline;
    const Text& content = *line.get_if<Text>();
    if (begins ? first && first->truthy() : !content.bytes.empty()) result += margin;
    result += content;
    begins = false;
  }
  return result;
}

Value integer(const Value& value) {
  if (value.is_number()) return static_cast<std::int64_t>(value.number());
  const auto* text = value.get_if<Text>();
  if (!text) return std::int64_t{0};
  char* end = nullptr;
  const long long parsed = std::strtoll(text->bytes.c_str(), &end, 10);
  return static_cast<std::int64_t>(end && *end == '\0' ? parsed : 0);
}

Value rounded(const Value& value, const Arguments& arguments) {
  const Value* digits = arguments.find(0, "precision");
  const double scale = std::pow(10.0, digits ? digits->number() : 0.0);
  return std::nearbyint(value.number() * scale) / scale;
}

Value summed(const Value& value) {
  std::int64_t whole = 0;
  double real = 0;
  bool is_real = false;
  for (const Value& item : items_of(value)) {
    if (const auto* i = item.get_if<std::int64_t>())
      whole += *i;
    else
      real += item.number(), is_real = true;
  }
  return is_real ? Value(real + static_cast<double>(whole)) : Value(whole);
}

Value extreme(const Value& value, bool largest) {
  const List items = items_of(value);
  if (items.empty()) return {};
  return largest ? *std::ranges::max_element(items, less) : *std::ranges::min_element(items, less);
}

// Where a slice begins or ends, as Python cuts: negative counts from the end, what is beyond is
// cut.
std::int64_t bound(const Value* value, std::int64_t size, std::int64_t fallback, bool backwards) {
  if (!value || value->is<None>()) return fallback;
  const auto* given = value->get_if<std::int64_t>();
  if (!given)
    throw Failure(fmt::format("slice: expected an integer, found {}", value->type_name()));
  const std::int64_t at = *given < 0 ? *given + size : *given;
  return std::clamp<std::int64_t>(at, backwards ? -1 : 0, backwards ? size - 1 : size);
}

Value now(const Arguments& arguments) {
  const Value* format = arguments.find(0, "format");
  const std::string text = format ? need_text(*format, "strftime_now").bytes : "%d %b %Y";
  const std::time_t time = std::time(nullptr);
  std::tm local{};
  localtime_r(&time, &local);
  char buffer[256];
  const std::size_t length = std::strftime(buffer, sizeof buffer, text.c_str(), &local);
  return text_value({buffer, length});
}

Value range(const Arguments& arguments) {
  std::int64_t values[3] = {0, 0, 1};
  const std::size_t count = arguments.positional.size();
  if (count < 1 || count > 3) throw Failure("range: expected 1 to 3 integers");
  for (std::size_t i = 0; i < count; ++i) {
    const auto* value = arguments.positional[i].get_if<std::int64_t>();
    if (!value) throw Failure("range: expected integers");
    values[count == 1 ? 1 : i] = *value;
  }
  const auto [from, to, step] = values;
  if (step == 0) throw Failure("range: a step of 0");
  List result;
  for (std::int64_t i = from; step > 0 ? i < to : i > to; i += step) {
    if (static_cast<std::int64_t>(result.size()) >= kMaxRange) throw Failure("range: too long");
    result.emplace_back(i);
  }
  return result;
}

Value dictionary(const Arguments& arguments) {
  Map map;
  if (!arguments.positional.empty()) {
    if (const auto* given = arguments.positional[0].get_if<Map>()) map = *given;
  }
  for (const auto& entry : arguments.named) map.push_back(entry);
  return map;
}

}  // namespace

Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments) {
  if (name == "trim") {
    const Value* set = arguments.find(0, "chars");
    return strip(to_text(value), Side::kBoth, set ? set->get_if<Text>() : nullptr);
  }
  if (name == "upper") return upper(to_text(value));
  if (name == "lower") return lower(to_text(value));
  if (name == "capitalize") return capitalize(to_text(value));
  if (name == "title") return title(to_text(value));
  if (name == "string" || name == "safe") return to_text(value);
  if (name == "indent") return indented(to_text(value), arguments);
  if (name == "length" || name == "count") return length_of(value);
  if (name == "list") return items_of(value);
  if (name == "items") return pairs_of(value);
  if (name == "dictsort") return sorted(pairs_of(value), {});
  if (name == "first" || name == "last") {
    const List items = items_of(value);
    if (items.empty()) return {};
    return name == "first" ? items.front() : items.back();
  }
  if (name == "reverse") return reversed(value);
  if (name == "sort") return sorted(value, arguments);
  if (name == "unique") return unique(value);
  if (name == "int") return integer(value);
  if (name == "float") return value.is_number() ? Value(value.number()) : Value(0.0);
  if (name == "abs") {
    if (const auto* i = value.get_if<std::int64_t>()) return *i < 0 ? -*i : *i;
    return std::fabs(value.number());
  }
  if (name == "round") return rounded(value, arguments);
  if (name == "sum") return summed(value);
  if (name == "min" || name == "max") return extreme(value, name == "max");
  if (name == "default" || name == "d") {
    const Value* fallback = arguments.find(0, "default_value");
    const Value* also_false = arguments.find(1, "boolean");
    const bool use =
        value.is<Undefined>() || (also_false && also_false->truthy() && !value.truthy());
    return use ? (fallback ? *fallback : text_value("")) : value;
  }
  if (name == "join") {
    const Value* separator = arguments.find(0, "d");
    List items = items_of(value);
    if (const Value* attribute = find(arguments.named, "attribute")) {
      for (Value& item : items) item = attribute_of(item, need_text(*attribute, "join").bytes);
    }
    return join(items, separator ? to_text(*separator) : Text());
  }
  if (name == "replace") {
    const Value* from = arguments.find(0, "old");
    const Value* to = arguments.find(1, "new");
    if (!from || !to) throw Failure("replace: expected two texts");
    return replace(to_text(value), to_text(*from), to_text(*to), -1);
  }
  if (name == "tojson") {
    const Value* indent = arguments.find(0, "indent");
    const auto* width = indent ? indent->get_if<std::int64_t>() : nullptr;
    return to_json(value, width ? static_cast<int>(std::clamp<std::int64_t>(*width, 0, 16)) : 0);
  }
  if (name == "select") return selected(value, arguments, false, true);
  if (name == "reject") return selected(value, arguments, false, false);
  if (name == "selectattr") return selected(value, arguments, true, true);
  if (name == "rejectattr") return selected(value, arguments, true, false);
  if (name == "map") return mapped(value, arguments);
  if (name == "attr") {
    const std::string path = attribute_argument(arguments, 0);
    return attribute_of(value, path);
  }
  throw Failure(fmt::format("filter \"{}\" is not supported", name));
}

bool apply_test(std::string_view name, const Value& value, const Arguments& arguments) {
  const auto other = [&]() -> const Value& {
    if (arguments.positional.empty())
      throw Failure(fmt::format("test \"{}\": expected a value to compare with", name));
    return arguments.positional[0];
  };
  if (name == "defined") return !value.is<Undefined>();
  if (name == "undefined") return value.is<Undefined>();
  if (name == "none") return value.is<None>();
  if (name == "string") return value.is<Text>();
  if (name == "mapping") return value.is<Map>();
  if (name == "sequence") return value.is<List>() || value.is<Text>() || value.is<Map>();
  if (name == "iterable") return value.is<List>() || value.is<Text>() || value.is<Map>();
  if (name == "number") return value.is_number();
  if (name == "integer") return value.is<std::int64_t>();
  if (name == "float") return value.is<double>();
  if (name == "boolean") return value.is<bool>();
  if (name == "true") return value.is<bool>() && value.truthy();
  if (name == "false") return value.is<bool>() && !value.truthy();
  if (name == "callable") return value.is<Function>();
  if (name == "odd" || name == "even")
    return (static_cast<std::int64_t>(value.number()) % 2 == 0) == (name == "even");
  if (name == "divisibleby") {
    const auto by = static_cast<std::int64_t>(other().number());
    if (by == 0) throw Failure("divisibleby: division by zero");
    return static_cast<std::int64_t>(value.number()) % by == 0;
  }
  if (name == "equalto" || name == "eq" || name == "==" || name == "sameas")
    return equal(value, other());
  if (name == "ne" || name == "!=") return !equal(value, other());
  if (name == "lt" || name == "<" || name == "lessthan") return less(value, other());
  if (name == "le" || name == "<=") return !less(other(), value);
  if (name == "gt" || name == ">" || name == "greaterthan") return less(other(), value);
  if (name == "ge" || name == ">=") return !less(value, other());
  if (name == "in") return contains(other(), value);
  if (name == "lower" || name == "upper") {
    const Text text = to_text(value);
    return (name == "lower" ? lower(text) : upper(text)).bytes == text.bytes;
  }
  throw Failure(fmt::format("test \"{}\" is not supported", name));
}

Value method_of(const Value& value, std::string_view name) {
  if (const auto* text = value.get_if<Text>()) return text_method(*text, name);
  if (value.is<Map>()) {
    if (name == "items") return Function([value](const Arguments&) { return pairs_of(value); });
    if (name == "keys")
      return Function([value](const Arguments&) { return Value(items_of(value)); });
    if (name == "values") {
      return Function([value](const Arguments&) {
        List values;
        for (const auto& entry : *value.get_if<Map>()) values.push_back(entry.second);
        return Value(std::move(values));
      });
    }
    if (name == "get") {
      return Function([value](const Arguments& a) {
        const Value* key = a.find(0, "key");
        const Value* found = key ? find(*value.get_if<Map>(), to_text(*key).bytes) : nullptr;
        const Value* fallback = a.find(1, "default");
        return found ? *found : fallback ? *fallback : Value(None{});
      });
    }
  }
  return Undefined{std::string(name)};
}

Value item_of(const Value& value, const Value& index) {
  if (const auto* map = value.get_if<Map>()) {
    const auto* key = index.get_if<Text>();
    const Value* found = key ? find(*map, key->bytes) : nullptr;
    return found ? *found : Value(Undefined{to_text(index).bytes});
  }
  const auto* at = index.get_if<std::int64_t>();
  if (at && (value.is<List>() || value.is<Text>())) {
    const List items = items_of(value);
    const auto size = static_cast<std::int64_t>(items.size());
    const std::int64_t place = *at < 0 ? *at + size : *at;
    return place < 0 || place >= size ? Value(Undefined{"item"})
                                      : items[static_cast<std::size_t>(place)];
  }
  if (value.is<Undefined>())
    throw Failure(fmt::format("\"{}\" is undefined", value.get_if<Undefined>()->name));
  return Undefined{to_text(index).bytes};
}

Value slice_of(const Value& value, const Value* from, const Value* to, const Value* step) {
  if (!value.is<List>() && !value.is<Text>())
    throw Failure(fmt::format("slice: expected a list or a text, found {}", value.type_name()));
  const auto* given = step ? step->get_if<std::int64_t>() : nullptr;
  const std::int64_t stride = given ? *given : 1;
  if (stride == 0) throw Failure("slice: a step of 0");
  const List items = items_of(value);
  const auto size = static_cast<std::int64_t>(items.size());
  const bool back = stride < 0;
  const std::int64_t begin = bound(from, size, back ? size - 1 : 0, back),
                     end = bound(to, size, back ? -1 : size, back);
  List kept;
  for (std::int64_t i = begin; back ? i > end : i < end;) {
    kept.push_back(items[static_cast<std::size_t>(i)]);
    if (stride > size || stride < -size) break;
    i += stride;
  }
  if (value.is<Text>()) return join(kept, {});
  return kept;
}

Map global_functions() {
  Map globals;
  globals.emplace_back("raise_exception", Function([](const Arguments& a) -> Value {
                         const Value* message = a.find(0, "message");
                         throw Failure(message ? to_text(*message).bytes : "refused");
                       }));
  globals.emplace_back("strftime_now", Function(now));
  globals.emplace_back("range", Function(range));
  globals.emplace_back("namespace", Function(dictionary));
  globals.emplace_back("dict", Function(dictionary));
  return globals;
}

}  // namespace ocellus::text::jinja
