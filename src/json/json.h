// Strict JSON for files from strangers. Boost.JSON parses; the rules on top are ours, in one place,
// so that no two loaders disagree about what a document says. Any thread; nothing throws but
// bad_alloc.
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

// One JSON document, nothing after it but white space. RFC 8259 exactly: UTF-8, no comments, no
// trailing commas, no BOM. kInvalidArgument naming `what` (a file), the byte offset and the reason,
// also for more than `max_depth` levels.
Result<bj::value> parse(std::string_view text, std::string_view what, const Limits& limits = {});

// Typed access. An absent key or null gives the default; a value of another type or beyond its
// limits is kInvalidArgument, naming `what`, the key, what was expected and what was found.
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

std::string_view kind_name(const bj::value& value) noexcept;  // "a string", "an integer" ...

}  // namespace ocellus::json
