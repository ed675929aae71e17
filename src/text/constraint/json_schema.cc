#include "text/constraint/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/result.h"
#include "json/json.h"
#include "text/constraint/matcher.h"
#include "text/constraint/schema_compiler.h"
#include "text/constraint/schema_keywords.h"

namespace ocellus::text {

namespace bj = boost::json;

namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxReferences = 1000;

}  // namespace

Result<std::shared_ptr<const Grammar>> SchemaCompiler::run() {
  OCELLUS_ASSIGN_OR_RETURN(const Pc start, value(root_, what_, b_.accept(), 0));
  return Matcher::runnable(b_.finish(start, what_), what_);
}

std::unexpected<Error> SchemaCompiler::fail(const std::string& where, std::string_view why) {
  return base::make_error(ErrorCode::kInvalidArgument, "{}: {}", where, why);
}

std::string SchemaCompiler::below(const std::string& where, std::string_view key) {
  return fmt::format("{}.{}", where, key.substr(0, 80));
}

Result<Pc> SchemaCompiler::value(const bj::value& schema, const std::string& where, Pc next,
                                 int depth) {
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
    if (is_refused_keyword(name)) return fail(below(where, name), "this keyword is not supported");
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

Result<Pc> SchemaCompiler::without_null(const bj::object& s, const std::string& where, Pc next,
                                        int depth) {
  if (s.contains("const") || s.contains("enum")) return listed(s, where, next);
  for (const char* name : {"anyOf", "oneOf"})
    if (const bj::value* const all = s.if_contains(name))
      return alternatives(s, *all, name, where, next, depth);
  return typed(s, where, next, depth);
}

// A part of the document, once for all that refer to it, and for itself.
Result<Pc> SchemaCompiler::reference(const bj::object& s, const bj::value& ref,
                                     const std::string& where, Pc next) {
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
  if (rules_.size() > kMaxReferences) return fail(here, "more than 1000 references");
  if (++open_ > kMaxDepth) return fail(here, "references are nested deeper than 64 levels");
  OCELLUS_ASSIGN_OR_RETURN(const Pc entry,
                           value(*target, what_ + pointer_path(pointer), b_.return_(), 0));
  --open_;
  b_.set_rule(rule, entry);
  return b_.call(rule, next);
}

std::string SchemaCompiler::pointer_path(std::string pointer) {
  pointer.erase(0, 1);  // "#"
  std::ranges::replace(pointer, '/', '.');
  return pointer.substr(0, 200);
}

Result<const bj::value*> SchemaCompiler::resolve(const std::string& pointer,
                                                 const std::string& where) const {
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

Result<Pc> SchemaCompiler::all_of(const bj::object& s, const bj::value& all,
                                  const std::string& where, Pc next, int depth) {
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

Result<Pc> SchemaCompiler::alternatives(const bj::object& s, const bj::value& all,
                                        std::string_view name, const std::string& where, Pc next,
                                        int depth) {
  const std::string here = below(where, name);
  if (!all.is_array() || all.get_array().empty()) return fail(here, "expected an array of schemas");
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

Status SchemaCompiler::check_exclusive(const bj::array& all, const std::string& where) const {
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

Result<Pc> SchemaCompiler::listed(const bj::object& s, const std::string& where, Pc next) {
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

bool SchemaCompiler::has_type(const bj::object& s, const bj::value& v) {
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

Result<Pc> SchemaCompiler::typed(const bj::object& s, const std::string& where, Pc next,
                                 int depth) {
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
Result<std::vector<std::string>> SchemaCompiler::types_of(const bj::object& s,
                                                          const std::string& where) const {
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
  const bool good = type->is_array()
                        ? !type->get_array().empty() && std::ranges::all_of(type->get_array(), add)
                        : add(*type);
  if (!good) return fail(below(where, "type"), "expected the name of a type, or an array of them");
  // What is integer is number already.
  if (std::ranges::find(out, "number") != out.end()) std::erase(out, "integer");
  return out;
}

Result<Pc> SchemaCompiler::of_type(const std::string& type, const bj::object& s,
                                   const std::string& where, Pc next, int depth) {
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

Result<std::shared_ptr<const Grammar>> schema_grammar(const bj::value& schema,
                                                      std::string_view what) {
  return SchemaCompiler(schema, what).run();
}

}  // namespace ocellus::text
