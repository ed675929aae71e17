#include "text/constraint/schema_keywords.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/result.h"

namespace ocellus::text {
namespace {

namespace bj = boost::json;

constexpr auto kRefused = std::to_array<std::string_view>(
    {"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
     "patternProperties", "propertyNames", "contains", "minContains", "maxContains",
     "unevaluatedItems", "$dynamicRef", "$recursiveRef"});
constexpr auto kEnforced = std::to_array<std::string_view>({"type",
                                                            "enum",
                                                            "const",
                                                            "properties",
                                                            "required",
                                                            "additionalProperties",
                                                            "unevaluatedProperties",
                                                            "minProperties",
                                                            "maxProperties",
                                                            "items",
                                                            "prefixItems",
                                                            "additionalItems",
                                                            "minItems",
                                                            "maxItems",
                                                            "uniqueItems",
                                                            "minLength",
                                                            "maxLength",
                                                            "pattern",
                                                            "format",
                                                            "minimum",
                                                            "maximum",
                                                            "exclusiveMinimum",
                                                            "exclusiveMaximum",
                                                            "multipleOf",
                                                            "anyOf",
                                                            "oneOf",
                                                            "allOf",
                                                            "$ref",
                                                            "nullable"});

// Form only: the twenty-ninth of February passes in every year, as with most validators.
struct Format {
  std::string_view name, expression;
};
#define OCELLUS_DATE                                                                      \
  "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)" \
  "|02-(0[1-9]|[12][0-9]))"
#define OCELLUS_TIME                                         \
  "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?" \
  "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
constexpr Format kFormats[] = {
    {"date", "^" OCELLUS_DATE "$"},
    {"time", "^" OCELLUS_TIME "$"},
    {"date-time", "^" OCELLUS_DATE "T" OCELLUS_TIME "$"},
    {"uuid", R"(^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$)"},
    {"ipv4",
     R"(^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])$)"},
    {"email", R"(^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$)"},
    {"duration",
     R"(^P([0-9]+W|([0-9]+Y)?([0-9]+M)?[0-9]+D|([0-9]+Y)?[0-9]+M|[0-9]+Y|([0-9]+Y)?([0-9]+M)?([0-9]+D)?T(([0-9]+H)?([0-9]+M)?[0-9]+S|([0-9]+H)?[0-9]+M|[0-9]+H))$)"},
};

#undef OCELLUS_DATE
#undef OCELLUS_TIME

std::vector<std::string> types_of(const bj::object& schema) {
  std::vector<std::string> out;
  const bj::value* const type = schema.if_contains("type");
  if (type == nullptr) {
    if (schema.contains("properties")) out.emplace_back("object");
    return out;
  }
  if (type->is_string()) out.emplace_back(type->get_string());
  if (type->is_array())
    for (const bj::value& each : type->get_array())
      if (each.is_string()) out.emplace_back(each.get_string());
  return out;
}

bool overlap(std::string_view a, std::string_view b) {
  return a == b || (a == "integer" && b == "number") || (a == "number" && b == "integer");
}

// The values that `schema` allows, where it lists them.
std::optional<bj::array> listed(const bj::object& schema) {
  if (const bj::value* const one = schema.if_contains("const")) return bj::array{*one};
  const bj::value* const all = schema.if_contains("enum");
  if (all != nullptr && all->is_array()) return all->get_array();
  return std::nullopt;
}

bool lists_differ(const bj::object& a, const bj::object& b) {
  const auto x = listed(a), y = listed(b);
  if (!x || !y) return false;
  return std::ranges::none_of(
      *x, [&](const bj::value& v) { return std::ranges::find(*y, v) != y->end(); });
}

bool requires_property(const bj::object& schema, const bj::value& name) {
  const bj::value* const required = schema.if_contains("required");
  return required != nullptr && required->is_array() &&
         std::ranges::find(required->get_array(), name) != required->get_array().end();
}

void unite(bj::array& to, const bj::array& more) {
  for (const bj::value& each : more)
    if (std::ranges::find(to, each) == to.end()) to.push_back(each);
}

}  // namespace

bool is_refused_keyword(std::string_view keyword) {
  return std::ranges::find(kRefused, keyword) != kRefused.end();
}

bool is_enforced_keyword(std::string_view keyword) {
  return std::ranges::find(kEnforced, keyword) != kEnforced.end();
}

std::optional<std::string_view> format_expression(std::string_view format) {
  const auto* const found = std::ranges::find(kFormats, format, &Format::name);
  return found == std::end(kFormats) ? std::nullopt : std::optional(found->expression);
}

Result<bj::object> merge_schemas(const bj::object& a, const bj::object& b, std::string_view what) {
  bj::object out = a;
  const auto conflict = [&](std::string_view key) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}.allOf: {} is restricted twice, which is not supported", what, key);
  };
  for (const auto& [key, value] : b) {
    const std::string_view name(key.data(), key.size());
    bj::value* const mine = out.if_contains(key);
    if (mine == nullptr || !(is_enforced_keyword(name) || is_refused_keyword(name))) {
      if (mine == nullptr) out[key] = value;
    } else if (name == "properties" && mine->is_object() && value.is_object()) {
      for (const auto& [property, schema] : value.get_object()) {
        bj::value* const known = mine->get_object().if_contains(property);
        if (known == nullptr) {
          mine->get_object()[property] = schema;
        } else if (*known != schema) {
          return conflict(std::string_view(property.data(), property.size()));
        }
      }
    } else if (name == "required" && mine->is_array() && value.is_array()) {
      unite(mine->get_array(), value.get_array());
    } else if (*mine != value) {
      return conflict(name);
    }
  }
  // Closed is closed to what the other part names.
  const auto closes = [](const bj::object& s) {
    const bj::value* const extra = s.if_contains("additionalProperties");
    return extra != nullptr && !(extra->is_bool() && extra->get_bool());
  };
  if (a.contains("properties") && b.contains("properties") && (closes(a) || closes(b)))
    return conflict("additionalProperties");
  return out;
}

bool exclude_each_other(const bj::object& a, const bj::object& b) {
  if (lists_differ(a, b)) return true;
  const auto x = types_of(a), y = types_of(b);
  if (!x.empty() && !y.empty()) {
    const bool disjoint = std::ranges::none_of(x, [&](const std::string& t) {
      return std::ranges::any_of(y, [&](const std::string& u) { return overlap(t, u); });
    });
    if (disjoint) return true;
  }
  const bj::value *const p = a.if_contains("properties"), *const q = b.if_contains("properties");
  if (p == nullptr || q == nullptr || !p->is_object() || !q->is_object()) return false;
  return std::ranges::any_of(p->get_object(), [&](const auto& property) {
    const bj::value* const other = q->get_object().if_contains(property.key());
    const bj::value name(property.key());
    return other != nullptr && other->is_object() && property.value().is_object() &&
           requires_property(a, name) && requires_property(b, name) &&
           lists_differ(property.value().get_object(), other->get_object());
  });
}

}  // namespace ocellus::text
