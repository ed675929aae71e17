// Strings and numbers within their limits.
#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "text/constraint/regex_grammar.h"
#include "text/constraint/schema_compiler.h"
#include "text/constraint/schema_keywords.h"

namespace ocellus::text {

namespace bj = boost::json;

namespace {

constexpr std::int64_t kMaxCount = 1 << 24;

}  // namespace

Result<std::uint32_t> SchemaCompiler::count(const bj::object& s, std::string_view key,
                                            const std::string& where,
                                            std::uint32_t fallback) const {
  const bj::value* const found = s.if_contains(bj::string_view(key.data(), key.size()));
  if (found == nullptr || found->is_null()) return fallback;
  double value = -1;
  if (found->is_number()) value = found->to_number<double>();
  if (value < 0 || value != static_cast<double>(static_cast<std::int64_t>(std::min(value, 1e15))))
    return fail(below(where, key), "expected an integer of 0 or more");
  if (value >= static_cast<double>(kMaxCount)) {
    if (fallback == Grammar::kUnlimited) return fallback;
    return fail(below(where, key), fmt::format("expected less than {}", kMaxCount));
  }
  return static_cast<std::uint32_t>(value);
}

Result<Pc> SchemaCompiler::string(const bj::object& s, const std::string& where, Pc next) {
  OCELLUS_ASSIGN_OR_RETURN(const std::uint32_t min, count(s, "minLength", where, 0));
  OCELLUS_ASSIGN_OR_RETURN(const std::uint32_t max,
                           count(s, "maxLength", where, Grammar::kUnlimited));
  if (min > max) return fail(where, "minLength is more than maxLength");
  const bj::value* const pattern = s.if_contains("pattern");
  const bj::value* const format = s.if_contains("format");
  std::optional<std::string> expression;
  std::string_view from = "pattern";
  if (format != nullptr && format->is_string()) {
    const auto known =
        format_expression({format->get_string().data(), format->get_string().size()});
    if (known) expression = *known, from = "format";
  }
  if (pattern != nullptr) {
    if (!pattern->is_string()) return fail(below(where, "pattern"), "expected a string");
    if (expression)
      return fail(below(where, "pattern"), "a pattern beside this format is not supported");
    expression = std::string(pattern->get_string());
    from = "pattern";
  }
  if (!expression) return json_.string(min, max, next);
  if (min > 0 || max != Grammar::kUnlimited) {
    return fail(below(where, min > 0 ? "minLength" : "maxLength"),
                fmt::format("a length beside {} is not supported: write it into a pattern", from));
  }
  OCELLUS_ASSIGN_OR_RETURN(const Pc inside,
                           regex_grammar(b_, *expression, false, Encoding::kJsonString,
                                         below(where, from), b_.byte('"', next)));
  return b_.byte('"', inside);
}

Result<Pc> SchemaCompiler::number(const std::string& type, const bj::object& s,
                                  const std::string& where, Pc next) {
  NumberRange range;
  OCELLUS_RETURN_IF_ERROR(
      limit(s, "minimum", "exclusiveMinimum", where, 1, range.min, range.min_excluded));
  OCELLUS_RETURN_IF_ERROR(
      limit(s, "maximum", "exclusiveMaximum", where, -1, range.max, range.max_excluded));
  const int order = range.min && range.max ? compare(*range.min, *range.max) : -1;
  if (order > 0 || (order == 0 && (range.min_excluded || range.max_excluded)))
    return fail(where, "no number is between minimum and maximum");
  const bj::value* const multiple = s.if_contains("multipleOf");
  bool whole = type == "integer";
  if (multiple != nullptr) {
    const bool one = multiple->is_number() && multiple->to_number<double>() == 1;
    if (!one) return fail(below(where, "multipleOf"), "only 1 is supported");
    whole = true;
  }
  return whole ? json_.integer(range, next) : json_.number(range, next);
}

// The narrower of the two keywords; draft 4 has a boolean for the second.
Status SchemaCompiler::limit(const bj::object& s, std::string_view inclusive,
                             std::string_view exclusive, const std::string& where, int sign,
                             std::optional<Decimal>& out, bool& excluded) {
  const auto read = [&](std::string_view key, bool excludes) -> Status {
    const bj::value* const v = s.if_contains(bj::string_view(key.data(), key.size()));
    if (v == nullptr || v->is_null()) return {};
    if (v->is_bool() && excludes) {
      excluded = v->get_bool() && out;
      return {};
    }
    const auto decimal = to_decimal(*v);
    if (!decimal) {
      return fail(below(where, key),
                  "expected a number with at most 40 digits on either side of the point");
    }
    const int order = out ? compare(*decimal, *out) * sign : 1;
    if (order > 0 || (order == 0 && excludes)) {
      out = *decimal;
      excluded = excludes;
    }
    return {};
  };
  OCELLUS_RETURN_IF_ERROR(read(inclusive, false));
  return read(exclusive, true);
}

}  // namespace ocellus::text
