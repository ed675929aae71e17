// What the keywords of a JSON Schema are to an answer.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::text {

// Restricts, and nothing here enforces it.
bool is_refused_keyword(std::string_view keyword);
// Restricts, and is enforced. All others are annotations.
bool is_enforced_keyword(std::string_view keyword);

// The expression for a value of `format` that is a matter of form; nothing for one that is an
// annotation.
std::optional<std::string_view> format_expression(std::string_view format);

// Both schemas at once (allOf): kInvalidArgument naming `what` and the keyword that both restrict.
Result<boost::json::object> merge_schemas(const boost::json::object& a,
                                          const boost::json::object& b, std::string_view what);

// Whether no value satisfies both: other types, or another constant in the same required property.
bool exclude_each_other(const boost::json::object& a, const boost::json::object& b);

}  // namespace ocellus::text
