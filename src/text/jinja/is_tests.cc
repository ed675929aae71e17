// Tests: value is name(arguments).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/arithmetic.h"
#include "text/jinja/builtins.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_methods.h"

namespace ocellus::text::jinja {
namespace {

using Predicate = bool (*)(const Value& value, const Value& other, Budget& budget);

bool is_sequence(const Value& value) {
  return value.is<List>() || value.is<Text>() || value.is<Map>();
}

// value % by == 0, as Python computes it.
bool divides(const Value& value, const Value& by, Budget& budget) {
  return !arithmetic("%", value, by, budget).truthy();
}

template <Case form>
bool has_case(const Value& value, const Value&, Budget& budget) {
  const TextPtr text = to_text(value, budget);
  return change_case(*text, form, budget).bytes == text->bytes;
}

struct Test {
  std::string_view name;
  Predicate holds;
  bool takes_other = false;
};

constexpr Predicate kEqual = [](const Value& v, const Value& o, Budget& b) {
  return equal(v, o, b);
};
constexpr Predicate kNotEqual = [](const Value& v, const Value& o, Budget& b) {
  return !equal(v, o, b);
};
constexpr Predicate kLess = [](const Value& v, const Value& o, Budget& b) { return less(v, o, b); };
constexpr Predicate kAtMost = [](const Value& v, const Value& o, Budget& b) {
  return !less(o, v, b);
};
constexpr Predicate kMore = [](const Value& v, const Value& o, Budget& b) { return less(o, v, b); };
constexpr Predicate kAtLeast = [](const Value& v, const Value& o, Budget& b) {
  return !less(v, o, b);
};
constexpr Predicate kSequence = [](const Value& v, const Value&, Budget&) {
  return is_sequence(v);
};

constexpr Test kTests[] = {
    {"!=", kNotEqual, true},
    {"<", kLess, true},
    {"<=", kAtMost, true},
    {"==", kEqual, true},
    {">", kMore, true},
    {">=", kAtLeast, true},
    {"boolean", [](const Value& v, const Value&, Budget&) { return v.is<bool>(); }},
    {"callable", [](const Value& v, const Value&, Budget&) { return v.is<Function>(); }},
    {"defined", [](const Value& v, const Value&, Budget&) { return !v.is<Undefined>(); }},
    {"divisibleby", divides, true},
    {"eq", kEqual, true},
    {"equalto", kEqual, true},
    {"even",
     [](const Value& v, const Value&, Budget& b) { return divides(v, std::int64_t{2}, b); }},
    {"false", [](const Value& v, const Value&, Budget&) { return v.is<bool>() && !v.truthy(); }},
    {"float", [](const Value& v, const Value&, Budget&) { return v.is<double>(); }},
    {"ge", kAtLeast, true},
    {"greaterthan", kMore, true},
    {"gt", kMore, true},
    {"in", [](const Value& v, const Value& o, Budget& b) { return contains(o, v, b); }, true},
    {"integer", [](const Value& v, const Value&, Budget&) { return v.is<std::int64_t>(); }},
    {"iterable", kSequence},
    {"le", kAtMost, true},
    {"lessthan", kLess, true},
    {"lower", has_case<Case::kLower>},
    {"lt", kLess, true},
    {"mapping", [](const Value& v, const Value&, Budget&) { return v.is<Map>(); }},
    {"ne", kNotEqual, true},
    {"none", [](const Value& v, const Value&, Budget&) { return v.is<None>(); }},
    {"number", [](const Value& v, const Value&, Budget&) { return v.is_number(); }},
    {"odd",
     [](const Value& v, const Value&, Budget& b) {
       return equal(arithmetic("%", v, std::int64_t{2}, b), std::int64_t{1}, b);
     }},
    {"sameas", kEqual, true},
    {"sequence", kSequence},
    {"string", [](const Value& v, const Value&, Budget&) { return v.is<Text>(); }},
    {"true", [](const Value& v, const Value&, Budget&) { return v.is<bool>() && v.truthy(); }},
    {"undefined", [](const Value& v, const Value&, Budget&) { return v.is<Undefined>(); }},
    {"upper", has_case<Case::kUpper>},
};

}  // namespace

bool apply_test(std::string_view name, const Value& value, const Arguments& arguments,
                Budget& budget) {
  budget.steps();
  const auto* test = std::ranges::find(kTests, name, &Test::name);
  if (test == std::end(kTests)) throw Failure(fmt::format("test \"{}\" is not supported", name));
  const std::size_t wanted = test->takes_other ? 1 : 0;
  if (arguments.positional.size() != wanted || !arguments.named.empty()) {
    throw Failure(fmt::format("test \"{}\": expected {} arguments, found {}", name, wanted,
                              arguments.positional.size() + arguments.named.size()));
  }
  try {
    return test->holds(value, wanted == 1 ? arguments.positional[0] : Value(), budget);
  } catch (const Failure& failure) {
    throw Failure(fmt::format("test \"{}\": {}", name, failure.what()));
  }
}

}  // namespace ocellus::text::jinja
