#include "text/constraint/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "json/json.h"
#include "text/constraint/json_grammar.h"
#include "text/constraint/matcher.h"
#include "text/constraint/regex_grammar.h"
#include "text/constraint/schema_keywords.h"

namespace ocellus::text {
namespace {

namespace bj = boost::json;

constexpr std::int64_t kMaxCount = 1 << 24;
constexpr int kMaxDepth = 64;

class Compiler {
 public:
  Compiler(const bj::value& root, std::string_view what) : root_(root), what_(what), json_(b_) {}

  Result<std::shared_ptr<const Grammar>> run() {
    OCELLUS_ASSIGN_OR_RETURN(const Pc start, value(root_, what_, b_.accept(), 0));
    return Matcher::runnable(b_.finish(start, what_), what_);
  }

 private:
  using Found = Result<Pc>;

  static std::unexpected<Error> fail(const std::string& where, std::string_view why) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: {}", where, why);
  }
  static std::string below(const std::string& where, std::string_view key) {
    return fmt::format("{}.{}", where, key.substr(0, 80));
  }

  // --- Any schema ---

  Found value(const bj::value& schema, const std::string& where, Pc next, int depth) {
    if (depth > kMaxDepth) return fail(where, "is nested deeper than 64 levels");
    if (b_.too_large()) return next;
    if (schema.is_bool()) {
      if (schema.get_bool()) return json_.any_value(next);
      return fail(where, "false: nothing can ever satisfy it");
    }
    if (!schema.is_object())
      return fail(where, fmt::format("expected a schema, found {}", json::kind_name(schema)));
    const bj::object& s = schema.get_object();
    for (const auto& [key, unused] : s) {
      const std::string_view name(key.data(), key.size());
      if (is_refused_keyword(name))
        return fail(below(where, name), "this keyword is not supported");
    }
    if (const bj::value* const ref = s.if_contains("$ref")) return reference(s, *ref, where, next);
    if (const bj::value* const all = s.if_contains("allOf"))
      return all_of(s, *all, where, next, depth);
    OCELLUS_ASSIGN_OR_RETURN(Pc found, without_null(s, where, next, depth));
    const bj::value* const nullable = s.if_contains("nullable");
    if (nullable != nullptr && nullable->is_bool() && nullable->get_bool())
      found = b_.any_of({found, json_.null(next)});
    return found;
  }

  Found without_null(const bj::object& s, const std::string& where, Pc next, int depth) {
    if (s.contains("const") || s.contains("enum")) return listed(s, where, next);
    for (const char* name : {"anyOf", "oneOf"})
      if (const bj::value* const all = s.if_contains(name))
        return alternatives(s, *all, name, where, next, depth);
    return typed(s, where, next, depth);
  }

  // A part of the document, once for all that refer to it, and for itself.
  Found reference(const bj::object& s, const bj::value& ref, const std::string& where, Pc next) {
    for (const auto& [key, unused] : s) {
      const std::string_view name(key.data(), key.size());
      if (name != "$ref" && is_enforced_keyword(name))
        return fail(below(where, name), "a restriction beside $ref is not supported");
    }
    const std::string here = below(where, "$ref");
    if (!ref.is_string()) return fail(here, "expected a string");
    const std::string pointer(ref.get_string());
    const auto known = rules_.find(pointer);
    if (known != rules_.end()) return b_.call(known->second, next);
    OCELLUS_ASSIGN_OR_RETURN(const bj::value* const target, resolve(pointer, here));
    const std::int32_t rule = b_.new_rule();
    rules_[pointer] = rule;
    if (rules_.size() > 1000) return fail(here, "more than 1000 references");
    if (++open_ > kMaxDepth) return fail(here, "references are nested deeper than 64 levels");
    OCELLUS_ASSIGN_OR_RETURN(const Pc entry,
                             value(*target, what_ + pointer_path(pointer), b_.return_(), 0));
    --open_;
    b_.set_rule(rule, entry);
    return b_.call(rule, next);
  }

  static std::string pointer_path(std::string pointer) {
    pointer.erase(0, 1);  // "#"
    std::ranges::replace(pointer, '/', '.');
    return pointer.substr(0, 200);
  }

  Result<const bj::value*> resolve(const std::string& pointer, const std::string& where) const {
    if (pointer != "#" && !pointer.starts_with("#/")) {
      return fail(where, fmt::format("expected a place in this schema (#/$defs/NAME), found \"{}\"",
                                     pointer.substr(0, 100)));
    }
    boost::system::error_code ec;
    const bj::value* const found = root_.find_pointer(pointer.substr(1), ec);
    if (ec || found == nullptr)
      return fail(where, fmt::format("nothing is at \"{}\"", pointer.substr(0, 100)));
    return found;
  }

  Found all_of(const bj::object& s, const bj::value& all, const std::string& where, Pc next,
               int depth) {
    if (!all.is_array() || all.get_array().empty())
      return fail(below(where, "allOf"), "expected an array of schemas");
    bj::object merged = s;
    merged.erase("allOf");
    for (const bj::value& each : all.get_array()) {
      const bj::value* part = &each;
      for (int hops = 0; part->is_object() && part->get_object().contains("$ref"); ++hops) {
        const bj::value& ref = part->get_object().at("$ref");
        if (!ref.is_string() || hops > kMaxDepth)
          return fail(below(where, "allOf"), "expected references that end");
        OCELLUS_ASSIGN_OR_RETURN(part, resolve(std::string(ref.get_string()), where));
      }
      if (!part->is_object()) return fail(below(where, "allOf"), "expected objects");
      OCELLUS_ASSIGN_OR_RETURN(merged, merge_schemas(merged, part->get_object(), where));
    }
    return value(bj::value(std::move(merged)), where, next, depth + 1);
  }

  Found alternatives(const bj::object& s, const bj::value& all, std::string_view name,
                     const std::string& where, Pc next, int depth) {
    const std::string here = below(where, name);
    if (!all.is_array() || all.get_array().empty())
      return fail(here, "expected an array of schemas");
    for (const auto& [key, unused] : s) {
      const std::string_view other(key.data(), key.size());
      if (other != name && other != "nullable" && other != "type" && is_enforced_keyword(other))
        return fail(below(where, other),
                    fmt::format("a restriction beside {} is not supported", name));
    }
    if (name == "oneOf") OCELLUS_RETURN_IF_ERROR(check_exclusive(all.get_array(), here));
    std::vector<Pc> branches;
    for (std::size_t i = 0; i < all.get_array().size(); ++i) {
      const std::string place = fmt::format("{}[{}]", here, i);
      bj::value each = all.get_array()[i];
      // The type that all share may stand outside.
      const bj::value* const type = s.if_contains("type");
      if (type != nullptr && each.is_object() && !each.get_object().contains("$ref")) {
        bj::value* const own = each.get_object().if_contains("type");
        if (own == nullptr) {
          each.get_object()["type"] = *type;
        } else if (*own != *type) {
          return fail(below(where, "type"), "another type inside is not supported");
        }
      }
      OCELLUS_ASSIGN_OR_RETURN(const Pc branch, value(each, place, next, depth + 1));
      branches.push_back(branch);
    }
    return b_.any_of(std::move(branches));
  }

  Status check_exclusive(const bj::array& all, const std::string& where) const {
    std::vector<const bj::object*> parts;
    for (const bj::value& each : all) {
      const bj::value* part = &each;
      if (part->is_object() && part->get_object().contains("$ref") &&
          part->get_object().at("$ref").is_string()) {
        OCELLUS_ASSIGN_OR_RETURN(
            part, resolve(std::string(part->get_object().at("$ref").get_string()), where));
      }
      if (!part->is_object()) return fail(where, "expected objects");
      parts.push_back(&part->get_object());
    }
    for (std::size_t i = 0; i < parts.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (!exclude_each_other(*parts[i], *parts[j])) {
          return fail(where, fmt::format("[{}] and [{}] may both be satisfied, which cannot be "
                                         "prevented: use anyOf",
                                         j, i));
        }
    return {};
  }

  // --- Values that are listed ---

  Found listed(const bj::object& s, const std::string& where, Pc next) {
    bj::array values;
    if (const bj::value* const one = s.if_contains("const")) values = {*one};
    if (const bj::value* const all = s.if_contains("enum")) {
      if (!all->is_array() || all->get_array().empty())
        return fail(below(where, "enum"), "expected an array of values");
      if (s.contains("const")) {
        if (std::ranges::find(all->get_array(), values[0]) == all->get_array().end())
          return fail(where, "const is not in enum: nothing can ever satisfy it");
      } else {
        values = all->get_array();
      }
    }
    for (const auto& [key, unused] : s) {
      const std::string_view name(key.data(), key.size());
      if (name != "enum" && name != "const" && name != "type" && name != "nullable" &&
          is_enforced_keyword(name))
        return fail(below(where, name), "a restriction beside enum or const is not supported");
    }
    std::vector<std::string> texts;
    for (const bj::value& each : values)
      if (has_type(s, each)) texts.push_back(bj::serialize(each));
    if (texts.empty()) return fail(where, "no value has the type that is asked for");
    return b_.literals(std::move(texts), next);
  }

  static bool has_type(const bj::object& s, const bj::value& v) {
    const bj::value* const type = s.if_contains("type");
    if (type == nullptr) return true;
    const auto is = [&](const bj::value& name) {
      if (!name.is_string()) return false;
      const std::string_view t(name.get_string().data(), name.get_string().size());
      return (t == "object" && v.is_object()) || (t == "array" && v.is_array()) ||
             (t == "string" && v.is_string()) || (t == "boolean" && v.is_bool()) ||
             (t == "null" && v.is_null()) || (t == "number" && v.is_number()) ||
             (t == "integer" && (v.is_int64() || v.is_uint64()));
    };
    if (type->is_array()) return std::ranges::any_of(type->get_array(), is);
    return is(*type);
  }

  // --- Values of a type ---

  Found typed(const bj::object& s, const std::string& where, Pc next, int depth) {
    OCELLUS_ASSIGN_OR_RETURN(const std::vector<std::string> types, types_of(s, where));
    if (types.empty()) return json_.any_value(next);
    std::vector<Pc> branches;
    for (const std::string& type : types) {
      OCELLUS_ASSIGN_OR_RETURN(const Pc branch, of_type(type, s, where, next, depth));
      branches.push_back(branch);
    }
    return b_.any_of(std::move(branches));
  }

  // Where no type is given, what restricts says which one is meant. Nothing: any value.
  Result<std::vector<std::string>> types_of(const bj::object& s, const std::string& where) const {
    const bj::value* const type = s.if_contains("type");
    if (type == nullptr) {
      constexpr std::pair<const char*, const char*> kMeant[] = {{"properties", "object"},
                                                                {"required", "object"},
                                                                {"additionalProperties", "object"},
                                                                {"minProperties", "object"},
                                                                {"maxProperties", "object"},
                                                                {"items", "array"},
                                                                {"prefixItems", "array"},
                                                                {"minItems", "array"},
                                                                {"maxItems", "array"},
                                                                {"pattern", "string"},
                                                                {"minLength", "string"},
                                                                {"maxLength", "string"},
                                                                {"format", "string"},
                                                                {"minimum", "number"},
                                                                {"maximum", "number"},
                                                                {"exclusiveMinimum", "number"},
                                                                {"exclusiveMaximum", "number"},
                                                                {"multipleOf", "number"}};
      for (const auto& [keyword, meant] : kMeant)
        if (s.contains(keyword)) return std::vector<std::string>{meant};
      return std::vector<std::string>{};
    }
    std::vector<std::string> out;
    const auto add = [&](const bj::value& name) {
      if (!name.is_string()) return false;
      out.emplace_back(name.get_string());
      return true;
    };
    const bool good =
        type->is_array() ? !type->get_array().empty() && std::ranges::all_of(type->get_array(), add)
                         : add(*type);
    if (!good)
      return fail(below(where, "type"), "expected the name of a type, or an array of them");
    // What is integer is number already.
    if (std::ranges::find(out, "number") != out.end()) std::erase(out, "integer");
    return out;
  }

  Found of_type(const std::string& type, const bj::object& s, const std::string& where, Pc next,
                int depth) {
    if (type == "object") return object(s, where, next, depth);
    if (type == "array") return array(s, where, next, depth);
    if (type == "string") return string(s, where, next);
    if (type == "integer" || type == "number") return number(type, s, where, next);
    if (type == "boolean") return json_.boolean(next);
    if (type == "null") return json_.null(next);
    return fail(below(where, "type"),
                fmt::format("expected object, array, string, integer, number, boolean or null, "
                            "found \"{}\"",
                            type.substr(0, 40)));
  }

  Result<std::uint32_t> count(const bj::object& s, std::string_view key, const std::string& where,
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

  Found string(const bj::object& s, const std::string& where, Pc next) {
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
      return fail(
          below(where, min > 0 ? "minLength" : "maxLength"),
          fmt::format("a length beside {} is not supported: write it into a pattern", from));
    }
    OCELLUS_ASSIGN_OR_RETURN(const Pc inside,
                             regex_grammar(b_, *expression, false, Encoding::kJsonString,
                                           below(where, from), b_.byte('"', next)));
    return b_.byte('"', inside);
  }

  Found number(const std::string& type, const bj::object& s, const std::string& where, Pc next) {
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
  Status limit(const bj::object& s, std::string_view inclusive, std::string_view exclusive,
               const std::string& where, int sign, std::optional<Decimal>& out, bool& excluded) {
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

  Found array(const bj::object& s, const std::string& where, Pc next, int depth) {
    OCELLUS_ASSIGN_OR_RETURN(std::uint32_t min, count(s, "minItems", where, 0));
    OCELLUS_ASSIGN_OR_RETURN(std::uint32_t max, count(s, "maxItems", where, Grammar::kUnlimited));
    const bj::value* const unique = s.if_contains("uniqueItems");
    if (unique != nullptr && !(unique->is_bool() && !unique->get_bool()) && max > 1)
      return fail(below(where, "uniqueItems"), "this keyword is not supported");
    const bj::value* items = s.if_contains("items");
    const bj::value* prefix = s.if_contains("prefixItems");
    std::string items_name = "items";
    if (items != nullptr && items->is_array()) {  // before draft 2020-12
      prefix = items;
      items_name = "additionalItems";
      items = s.if_contains("additionalItems");
    }
    std::vector<std::pair<const bj::value*, std::string>> first;
    if (prefix != nullptr) {
      if (!prefix->is_array()) return fail(below(where, "prefixItems"), "expected an array");
      for (std::size_t i = 0; i < prefix->get_array().size(); ++i)
        first.emplace_back(&prefix->get_array()[i],
                           fmt::format("{}[{}]", below(where, "prefixItems"), i));
    }
    const auto fixed = static_cast<std::uint32_t>(first.size());
    if (items != nullptr && items->is_bool() && !items->get_bool()) max = std::min(max, fixed);
    if (min > max) return fail(where, "minItems is more than the array may have");
    if (max < fixed) first.resize(max);

    const Pc close = b_.byte(']', next);
    const auto n = static_cast<std::uint32_t>(first.size());
    if (n == 0 && max == 0) return b_.literal("[]", next);
    // Once, whoever calls it: the first item and those with a comma before them.
    const std::int32_t item = b_.new_rule();
    if (items == nullptr || max > n) {
      OCELLUS_ASSIGN_OR_RETURN(
          const Pc entry, items == nullptr
                              ? Found(json_.any_value(b_.return_()))
                              : value(*items, below(where, items_name), b_.return_(), depth + 1));
      b_.set_rule(item, entry);
    }
    const auto with_comma = [&](Pc after) { return b_.byte(',', b_.call(item, after)); };
    // After so many: the others that there may be.
    const auto rest = [&](std::uint32_t before) {
      const std::uint32_t least = min > before ? min - before : 0;
      const std::uint32_t most = max == Grammar::kUnlimited ? max : max - before;
      return b_.repeat(least, most, with_comma, close);
    };
    if (n == 0) {
      const Pc one = b_.call(item, rest(1));
      return b_.byte('[', min == 0 ? b_.any_of({close, one}) : one);
    }
    Pc after = rest(n);
    for (std::uint32_t i = n; i-- > 0;) {
      OCELLUS_ASSIGN_OR_RETURN(Pc here, value(*first[i].first, first[i].second, after, depth + 1));
      if (i > 0) here = b_.byte(',', here);
      after = i >= min ? b_.any_of({close, here}) : here;
    }
    return b_.byte('[', after);
  }

  Found object(const bj::object& s, const std::string& where, Pc next, int depth);
  Found map(const bj::object& s, const bj::value& members, const std::string& members_where,
            const std::string& where, Pc next, int depth);

  const bj::value& root_;
  const std::string what_;
  GrammarBuilder b_;
  JsonGrammar json_;
  std::map<std::string, std::int32_t> rules_;  // by reference
  int open_ = 0;
};

// One kind of members only, as many as are asked for.
Result<Pc> Compiler::map(const bj::object& s, const bj::value& members,
                         const std::string& members_where, const std::string& where, Pc next,
                         int depth) {
  OCELLUS_ASSIGN_OR_RETURN(const std::uint32_t min, count(s, "minProperties", where, 0));
  OCELLUS_ASSIGN_OR_RETURN(const std::uint32_t max,
                           count(s, "maxProperties", where, Grammar::kUnlimited));
  if (min > max) return fail(where, "minProperties is more than maxProperties");
  if (max == 0) return b_.literal("{}", next);
  const Pc close = b_.byte('}', next);
  const std::int32_t member_rule = b_.new_rule();
  OCELLUS_ASSIGN_OR_RETURN(const Pc entry, value(members, members_where, b_.return_(), depth + 1));
  b_.set_rule(member_rule, json_.string(0, Grammar::kUnlimited, b_.byte(':', entry)));
  const auto member = [&](Pc after) { return b_.call(member_rule, after); };
  const auto with_comma = [&](Pc after) { return b_.byte(',', member(after)); };
  const Pc rest = b_.repeat(min > 0 ? min - 1 : 0, max == Grammar::kUnlimited ? max : max - 1,
                            with_comma, close);
  const Pc one = member(rest);
  return b_.byte('{', min == 0 ? b_.any_of({close, one}) : one);
}

Result<Pc> Compiler::object(const bj::object& s, const std::string& where, Pc next, int depth) {
  const bj::value* const properties = s.if_contains("properties");
  const bj::value* extra = s.if_contains("additionalProperties");
  std::string extra_where = below(where, "additionalProperties");
  if (extra == nullptr) {
    extra = s.if_contains("unevaluatedProperties");
    extra_where = below(where, "unevaluatedProperties");
  }
  if (properties != nullptr && !properties->is_object())
    return fail(below(where, "properties"), "expected an object");
  const bool has_extra = extra != nullptr && !(extra->is_bool() && !extra->get_bool());
  const bool names_none = properties == nullptr || properties->get_object().empty();
  std::vector<std::string> required;
  if (const bj::value* const list = s.if_contains("required"); list != nullptr) {
    if (!list->is_array()) return fail(below(where, "required"), "expected an array of strings");
    for (const bj::value& name : list->get_array()) {
      if (!name.is_string()) return fail(below(where, "required"), "expected strings");
      const bool known = !names_none && properties->get_object().contains(name.get_string());
      if (!known) {
        return fail(below(where, "required"),
                    fmt::format("\"{}\" is not in properties",
                                std::string(name.get_string()).substr(0, 80)));
      }
      required.emplace_back(name.get_string());
    }
  }
  if (names_none) {
    if (extra == nullptr && properties == nullptr) {
      if (!s.contains("minProperties") && !s.contains("maxProperties"))
        return json_.any_object(next);
      return map(s, bj::value(true), where, where, next, depth);
    }
    if (has_extra) return map(s, *extra, extra_where, where, next, depth);
    return b_.literal("{}", next);
  }
  for (const char* name : {"minProperties", "maxProperties"})
    if (s.contains(name))
      return fail(below(where, name), "this keyword beside properties is not supported");

  // From the last property back: what follows when others came before, and when none did.
  const Pc close = b_.byte('}', next);
  Pc some = close, none = close;
  if (has_extra) {
    some = b_.new_branches();
    std::vector<std::string> keys;
    for (const auto& [key, unused] : properties->get_object()) keys.emplace_back(key);
    OCELLUS_ASSIGN_OR_RETURN(const Pc member, value(*extra, extra_where, some, depth + 1));
    const Pc key = json_.key_except(std::move(keys), b_.byte(':', member));
    b_.set_branches(some, {close, b_.byte(',', key)});
    none = b_.any_of({close, key});
  }
  std::vector<const bj::key_value_pair*> all;
  for (const auto& property : properties->get_object()) all.push_back(&property);
  for (std::size_t i = all.size(); i-- > 0;) {
    const std::string_view name(all[i]->key().data(), all[i]->key().size());
    const bool must = std::ranges::find(required, name) != required.end();
    const std::string place = below(below(where, "properties"), name);
    if (!must && all[i]->value().is_bool() && !all[i]->value().get_bool()) continue;
    OCELLUS_ASSIGN_OR_RETURN(const Pc member, value(all[i]->value(), place, some, depth + 1));
    const Pc key = b_.literal(bj::serialize(bj::value(all[i]->key())) + ":", member);
    const Pc with_comma = b_.byte(',', key);
    some = must ? with_comma : b_.any_of({with_comma, some});
    none = must ? key : b_.any_of({key, none});
  }
  return b_.byte('{', none);
}

}  // namespace

Result<std::shared_ptr<const Grammar>> schema_grammar(const bj::value& schema,
                                                      std::string_view what) {
  return Compiler(schema, what).run();
}

}  // namespace ocellus::text
