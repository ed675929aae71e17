// Filters: value | name(arguments).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/arithmetic.h"
#include "text/jinja/builtins.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_methods.h"

namespace ocellus::text::jinja {
namespace {

TextPtr need_text(const Value& value, std::string_view what) {
  if (TextPtr text = value.text_ptr()) return text;
  throw Failure(fmt::format("{}: expected a string, found {}", what, value.type_name()));
}

bool flag(const Arguments& arguments, std::size_t index, std::string_view name, bool otherwise) {
  const Value* value = arguments.find(index, name);
  return value ? value->truthy() : otherwise;
}

std::int64_t integer_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                              std::int64_t otherwise) {
  const Value* value = arguments.find(index, name);
  if (!value || value->is<None>()) return otherwise;
  if (!value->is_integer())
    throw Failure(fmt::format("{}: expected an integer, found {}", name, value->type_name()));
  return value->integer();
}

// Jinja's attribute paths: "a.b" and "0"; an integer is an index. The item itself without a path.
Value at_path(const Value& value, const Value* path, Budget& budget) {
  if (!path || path->is<None>()) return value;
  if (path->is_integer()) return item_of(value, *path, budget);
  const TextPtr steps = need_text(*path, "attribute");
  Value current = value;
  for (std::string_view rest = steps->bytes; !rest.empty();) {
    const std::string_view step = rest.substr(0, rest.find('.'));
    rest.remove_prefix(std::min(step.size() + 1, rest.size()));
    const bool digits = std::ranges::all_of(step, [](char c) { return c >= '0' && c <= '9'; });
    const auto index = digits ? parse_integer(step) : std::nullopt;
    budget.bytes(step.size());
    current = item_of(current, index ? Value(*index) : Value(Text(step, true)), budget);
  }
  return current;
}

// Jinja compares strings without case unless told otherwise.
Value compared_by(const Value& value, bool case_sensitive, Budget& budget) {
  const auto* text = value.get_if<Text>();
  return text && !case_sensitive ? Value(change_case(*text, Case::kLower, budget)) : value;
}

struct Keyed {
  Value key, item;
};

std::vector<Keyed> keyed(const Value& value, const Value* path, bool case_sensitive,
                         Budget& budget) {
  std::vector<Keyed> result;
  for (const Value& item : Items(value, budget)) {
    budget.items();
    result.push_back({compared_by(at_path(item, path, budget), case_sensitive, budget), item});
  }
  return result;
}

Value list_of(const std::vector<Keyed>& entries, Budget& budget) {
  ListBuilder list(budget);
  for (const Keyed& entry : entries) list.add(entry.item);
  return std::move(list).build();
}

void sort(std::vector<Keyed>& entries, bool reverse, Budget& budget) {
  std::ranges::stable_sort(entries, [&](const Keyed& a, const Keyed& b) {
    return reverse ? less(b.key, a.key, budget) : less(a.key, b.key, budget);
  });
}

Value sort_filter(const Value& value, const Arguments& a, Budget& budget) {
  std::vector<Keyed> entries =
      keyed(value, a.find(2, "attribute"), flag(a, 1, "case_sensitive", false), budget);
  sort(entries, flag(a, 0, "reverse", false), budget);
  return list_of(entries, budget);
}

Value dictsort_filter(const Value& value, const Arguments& a, Budget& budget) {
  const Value* by = a.find(1, "by");
  const Value column(std::int64_t{by && need_text(*by, "by")->bytes == "value" ? 1 : 0});
  std::vector<Keyed> entries =
      keyed(pairs_of(value, budget), &column, flag(a, 0, "case_sensitive", false), budget);
  sort(entries, flag(a, 2, "reverse", false), budget);
  return list_of(entries, budget);
}

Value unique_filter(const Value& value, const Arguments& a, Budget& budget) {
  std::vector<Keyed> kept;
  for (Keyed& entry :
       keyed(value, a.find(1, "attribute"), flag(a, 0, "case_sensitive", false), budget)) {
    if (std::ranges::none_of(kept, [&](const Keyed& k) { return equal(k.key, entry.key, budget); }))
      kept.push_back(std::move(entry));
  }
  return list_of(kept, budget);
}

template <bool largest>
Value extreme_filter(const Value& value, const Arguments& a, Budget& budget) {
  const std::vector<Keyed> entries =
      keyed(value, a.find(1, "attribute"), flag(a, 0, "case_sensitive", false), budget);
  const Keyed* best = nullptr;
  for (const Keyed& entry : entries) {
    if (!best ||
        (largest ? less(best->key, entry.key, budget) : less(entry.key, best->key, budget)))
      best = &entry;
  }
  return best ? best->item : Value();
}

// select, reject and their attribute forms.
template <bool by_attribute, bool keep>
Value select_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const auto& positional = arguments.positional;
  const Value* path = by_attribute && !positional.empty() ? &positional[0] : nullptr;
  if (by_attribute && !path) throw Failure("expected an attribute, found none");
  if (!arguments.named.empty()) throw Failure("expected no arguments with names");
  const std::size_t test_index = by_attribute ? 1 : 0;
  const TextPtr test =
      positional.size() > test_index ? need_text(positional[test_index], "test") : nullptr;
  Arguments rest;
  for (std::size_t i = test_index + 1; i < positional.size(); ++i)
    rest.positional.push_back(positional[i]);
  ListBuilder kept(budget);
  for (const Value& item : Items(value, budget)) {
    budget.steps();
    const Value tested = at_path(item, path, budget);
    if ((test ? apply_test(test->bytes, tested, rest, budget) : tested.truthy()) == keep)
      kept.add(item);
  }
  return std::move(kept).build();
}

Value map_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  ListBuilder result(budget);
  if (const Value* attribute = arguments.find("attribute")) {
    const Value* fallback = arguments.find("default");
    for (const Value& item : Items(value, budget)) {
      Value found = at_path(item, attribute, budget);
      result.add(found.is<Undefined>() && fallback ? *fallback : std::move(found));
    }
    return std::move(result).build();
  }
  if (arguments.positional.empty()) throw Failure("expected a filter or an attribute, found none");
  const TextPtr name = need_text(arguments.positional[0], "filter");
  const Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()},
                       arguments.named};
  for (const Value& item : Items(value, budget))
    result.add(apply_filter(name->bytes, item, rest, budget));
  return std::move(result).build();
}

Value trim_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Value* set = arguments.find(0, "chars");
  const TextPtr chars = set && !set->is<None>() ? need_text(*set, "chars") : nullptr;
  return strip(to_text(value, budget), Side::kBoth, chars.get(), budget);
}

template <Case form>
Value case_filter(const Value& value, const Arguments&, Budget& budget) {
  return change_case(*to_text(value, budget), form, budget);
}

Value string_filter(const Value& value, const Arguments&, Budget& budget) {
  return to_text(value, budget);
}

Value indent_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Value* width = arguments.find(0, "width");
  const TextPtr text = to_text(value, budget);
  TextPtr margin = width ? width->text_ptr() : nullptr;
  if (!margin) {
    const auto count = std::clamp<std::int64_t>(integer_argument(arguments, 0, "width", 4), 0, 100);
    margin = std::make_shared<const Text>(std::string(static_cast<std::size_t>(count), ' '), true);
  }
  const bool first = flag(arguments, 1, "first", false), blank = flag(arguments, 2, "blank", false);
  const Text newline("\n");
  TextBuilder result(budget);
  bool begins = true;
  const Value lines = split(*text, &newline, -1, budget);
  for (const Value& line : *lines.get_if<List>()) {
    const Text& content = *line.get_if<Text>();
    if (!begins) result.add(newline);
    if (begins ? first : blank || !content.bytes.empty()) result.add(*margin);
    result.add(content);
    begins = false;
  }
  return std::move(result).build();
}

Value length_filter(const Value& value, const Arguments&, Budget& budget) {
  if (const auto* text = value.get_if<Text>()) return count_characters(text->bytes, budget);
  if (const auto* map = value.get_if<Map>()) return static_cast<std::int64_t>(map->size());
  return static_cast<std::int64_t>(Items(value, budget).size());
}

Value list_filter(const Value& value, const Arguments&, Budget& budget) {
  return value.is<List>() ? value : Value(Items(value, budget).copy(budget));
}

Value items_filter(const Value& value, const Arguments&, Budget& budget) {
  return pairs_of(value, budget);
}

template <bool last>
Value end_filter(const Value& value, const Arguments&, Budget& budget) {
  if (value.is<Text>()) return item_of(value, std::int64_t{last ? -1 : 0}, budget);
  const Items items(value, budget);
  return items.size() == 0 ? Value() : last ? items.list().back() : items.list().front();
}

Value reverse_filter(const Value& value, const Arguments&, Budget& budget) {
  const Value back(std::int64_t{-1});
  if (value.is<Text>()) return slice_of(value, nullptr, nullptr, &back, budget);
  return slice_of(Items(value, budget).copy(budget), nullptr, nullptr, &back, budget);
}

Value int_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const std::int64_t otherwise = integer_argument(arguments, 0, "default", 0);
  if (value.is_integer()) return value.integer();
  const auto* text = value.get_if<Text>();
  if (text) budget.scan(text->bytes.size());
  if (const auto whole = text ? parse_integer(text->bytes) : std::nullopt) return *whole;
  const auto* given = value.get_if<double>();
  const auto real = given ? *given : text ? parse_float(text->bytes) : std::nullopt;
  return real && std::isfinite(*real) ? to_integer(*real) : otherwise;
}

Value float_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Value* otherwise = arguments.find(0, "default");
  if (value.is_number()) return value.number();
  const auto* text = value.get_if<Text>();
  if (text) budget.scan(text->bytes.size());
  const auto real = text ? parse_float(text->bytes) : std::nullopt;
  return real ? Value(*real) : otherwise ? *otherwise : Value(0.0);
}

Value abs_filter(const Value& value, const Arguments&, Budget&) { return absolute(value); }

Value round_filter(const Value& value, const Arguments& arguments, Budget&) {
  const std::int64_t precision =
      std::clamp<std::int64_t>(integer_argument(arguments, 0, "precision", 0), -400, 400);
  const Value* given = arguments.find(1, "method");
  const std::string method = given ? need_text(*given, "method")->bytes : "common";
  if (method == "common" && value.is_integer() && precision >= 0) return value.integer();
  const double scale = std::pow(10.0, static_cast<double>(precision)),
               scaled = value.number() * scale;
  if (!std::isfinite(scaled) || scale == 0) return value.number();
  if (method == "common") return std::nearbyint(scaled) / scale;
  if (method == "ceil") return std::ceil(scaled) / scale;
  if (method == "floor") return std::floor(scaled) / scale;
  throw Failure(fmt::format("method: expected common, ceil or floor, found \"{}\"", method));
}

Value sum_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Value *path = arguments.find(0, "attribute"), *start = arguments.find(1, "start");
  Value sum = start ? *start : Value(std::int64_t{0});
  for (const Value& item : Items(value, budget)) {
    budget.steps();
    sum = arithmetic("+", sum, at_path(item, path, budget), budget);
  }
  return sum;
}

Value default_filter(const Value& value, const Arguments& arguments, Budget&) {
  const Value* fallback = arguments.find(0, "default_value");
  const bool use =
      value.is<Undefined>() || (flag(arguments, 1, "boolean", false) && !value.truthy());
  return use ? (fallback ? *fallback : Value(Text())) : value;
}

Value join_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Value *separator = arguments.find(0, "d"), *path = arguments.find(1, "attribute");
  const TextPtr between = separator ? to_text(*separator, budget) : std::make_shared<const Text>();
  const Items items(value, budget);
  if (!path) return join(items.list(), *between, budget);
  ListBuilder found(budget);
  for (const Value& item : items) found.add(at_path(item, path, budget));
  const Value list = std::move(found).build();
  return join(*list.get_if<List>(), *between, budget);
}

Value replace_filter(const Value& value, const Arguments& a, Budget& budget) {
  const Value *from = a.find(0, "old"), *to = a.find(1, "new");
  if (!from || !to) throw Failure("expected two strings");
  return replace(*to_text(value, budget), *to_text(*from, budget), *to_text(*to, budget),
                 integer_argument(a, 2, "count", -1), budget);
}

Value json_filter(const Value& value, const Arguments& a, Budget& budget) {
  JsonStyle style;
  style.ensure_ascii = flag(a, 0, "ensure_ascii", false);
  style.sort_keys = flag(a, 3, "sort_keys", false);
  const std::int64_t indent = integer_argument(a, 1, "indent", -1);
  if (indent >= 0) {
    style.indent = static_cast<int>(std::min<std::int64_t>(indent, 16));
    style.between = ",";
  }
  const Value* separators = a.find(2, "separators");
  const auto* pair = separators ? separators->get_if<List>() : nullptr;
  if (separators && !separators->is<None>()) {
    if (!pair || pair->size() != 2) throw Failure("separators: expected two strings");
    style.between = need_text((*pair)[0], "separators")->bytes;
    style.after_key = need_text((*pair)[1], "separators")->bytes;
  }
  return to_json(value, style, budget);
}

Value attr_filter(const Value& value, const Arguments& arguments, Budget& budget) {
  const Value* name = arguments.find(0, "name");
  if (!name) throw Failure("expected a name, found none");
  return attribute_of(value, need_text(*name, "attr")->bytes, budget);
}

constexpr std::string_view kAny = "*";  // the filter looks at its arguments itself

struct Filter {
  std::string_view name, parameters;
  Native apply;
};

constexpr Filter kFilters[] = {
    {"abs", "", abs_filter},
    {"attr", "name", attr_filter},
    {"capitalize", "", case_filter<Case::kCapitalize>},
    {"count", "", length_filter},
    {"d", "default_value boolean", default_filter},
    {"default", "default_value boolean", default_filter},
    {"dictsort", "case_sensitive by reverse", dictsort_filter},
    {"first", "", end_filter<false>},
    {"float", "default", float_filter},
    {"indent", "width first blank", indent_filter},
    {"int", "default", int_filter},
    {"items", "", items_filter},
    {"join", "d attribute", join_filter},
    {"last", "", end_filter<true>},
    {"length", "", length_filter},
    {"list", "", list_filter},
    {"lower", "", case_filter<Case::kLower>},
    {"map", kAny, map_filter},
    {"max", "case_sensitive attribute", extreme_filter<true>},
    {"min", "case_sensitive attribute", extreme_filter<false>},
    {"reject", kAny, select_filter<false, false>},
    {"rejectattr", kAny, select_filter<true, false>},
    {"replace", "old new count", replace_filter},
    {"reverse", "", reverse_filter},
    {"round", "precision method", round_filter},
    {"safe", "", string_filter},
    {"select", kAny, select_filter<false, true>},
    {"selectattr", kAny, select_filter<true, true>},
    {"sort", "reverse case_sensitive attribute", sort_filter},
    {"string", "", string_filter},
    {"sum", "attribute start", sum_filter},
    {"title", "", case_filter<Case::kTitle>},
    {"tojson", "ensure_ascii indent separators sort_keys", json_filter},
    {"trim", "chars", trim_filter},
    {"unique", "case_sensitive attribute", unique_filter},
    {"upper", "", case_filter<Case::kUpper>},
};

}  // namespace

Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments,
                   Budget& budget) {
  const Budget::Level level(budget);
  budget.steps();
  const auto* filter = std::ranges::find(kFilters, name, &Filter::name);
  if (filter == std::end(kFilters))
    throw Failure(fmt::format("filter \"{}\" is not supported", name));
  try {
    if (filter->parameters != kAny) arguments.check(filter->parameters);
    return filter->apply(value, arguments, budget);
  } catch (const Failure& failure) {
    throw Failure(fmt::format("filter \"{}\": {}", name, failure.what()));
  }
}

}  // namespace ocellus::text::jinja
