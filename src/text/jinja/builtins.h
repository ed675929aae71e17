// Filters, tests, methods and functions that every template has, as Jinja and Python define them.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace ocellus::text::jinja {

// value | name(arguments). Failure for an unknown filter or arguments that do not fit.
Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments,
                   Budget& budget);

// value is name(arguments). Failure as above.
bool apply_test(std::string_view name, const Value& value, const Arguments& arguments,
                Budget& budget);

// value.name: the method or attribute, else the item. value[index]: the item, else the attribute.
// Undefined where there is neither; Failure where `value` is undefined.
Value attribute_of(const Value& value, std::string_view name, Budget& budget);
Value item_of(const Value& value, const Value& index, Budget& budget);
// value[from:to:step]; null bounds are left out.
Value slice_of(const Value& value, const Value* from, const Value* to, const Value* step,
               Budget& budget);

// [key, value] of a mapping's entries; none of undefined.
Value pairs_of(const Value& value, Budget& budget);

// raise_exception, strftime_now, range, namespace, dict.
std::vector<std::pair<std::string, Value>> global_functions();

// What {{ raise_exception(message) }} throws: a refusal that the template means.
struct Refusal {
  TextPtr message;
};

}  // namespace ocellus::text::jinja
