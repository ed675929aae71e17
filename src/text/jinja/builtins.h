// Filters, tests and methods of values, as Jinja and Python define them.
#pragma once

#include <string_view>

#include "text/jinja/value.h"

namespace ocellus::text::jinja {

// value | name(arguments). Throws Failure for an unknown filter or arguments that do not fit.
Value apply_filter(std::string_view name, const Value& value, const Arguments& arguments);

// value is name(arguments).
bool apply_test(std::string_view name, const Value& value, const Arguments& arguments);

// value.name as a function, or undefined where values of this kind have no such method.
Value method_of(const Value& value, std::string_view name);

// value[index] and value[from:to:step]; null bounds are left out.
Value item_of(const Value& value, const Value& index);
Value slice_of(const Value& value, const Value* from, const Value* to, const Value* step);

// raise_exception, strftime_now, range, namespace, dict: the names that every template can call.
Map global_functions();

}  // namespace ocellus::text::jinja
