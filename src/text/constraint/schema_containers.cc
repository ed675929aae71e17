// Arrays and objects.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/result.h"
#include "text/constraint/schema_compiler.h"

namespace ocellus::text {

namespace bj = boost::json;

Result<Pc> SchemaCompiler::array(const bj::object& s, const std::string& where, Pc next,
                                 int depth) {
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
// One kind of members only, as many as are asked for.
Result<Pc> SchemaCompiler::map(const bj::object& s, const bj::value& members,
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

Result<Pc> SchemaCompiler::object(const bj::object& s, const std::string& where, Pc next,
                                  int depth) {
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

}  // namespace ocellus::text
