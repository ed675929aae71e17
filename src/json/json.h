// Strict JSON for files that nobody vouches for. Boost.JSON parses; the rules on top are ours, in
// one place, so that no two loaders can disagree about what a document says.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::json {

namespace bj = boost::json;

struct Limits {
  std::size_t max_depth = 64;
  bool reject_duplicate_keys = true;
  bool reject_negative_zero = false;  // where integers must have one spelling
};

// One JSON document, nothing after it but white space. RFC 8259 exactly: valid UTF-8, no comments,
// no trailing commas, no BOM. kInvalidArgument with `what` (a file name), the byte offset and the
// reason; deep nesting is an error, not recursion.
Result<bj::value> parse(std::string_view text, std::string_view what, const Limits& limits = {});

// Typed access: the error names `what`, the key, the expected and the found type.
// An absent key (or null, for the `_or` forms) gives the default; a key of another type is always
// an error.
Result<std::int64_t> get_int(const bj::object& object, std::string_view key, std::string_view what,
                             std::int64_t min, std::int64_t max);
Result<std::int64_t> get_int_or(const bj::object& object, std::string_view key,
                                std::string_view what, std::int64_t fallback, std::int64_t min,
                                std::int64_t max);
Result<double> get_number_or(const bj::object& object, std::string_view key, std::string_view what,
                             double fallback);  // finite
Result<bool> get_bool_or(const bj::object& object, std::string_view key, std::string_view what,
                         bool fallback);
Result<std::string> get_string_or(const bj::object& object, std::string_view key,
                                  std::string_view what, std::string_view fallback);
// Null when absent or JSON null; error when it is something else.
Result<const bj::object*> get_object_or_null(const bj::object& object, std::string_view key,
                                             std::string_view what);
Result<const bj::array*> get_array_or_null(const bj::object& object, std::string_view key,
                                           std::string_view what);

std::string_view kind_name(const bj::value& value) noexcept;  // "string", "number" ...

}  // namespace ocellus::json
