#include "server/dialects/response_format.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "json/json.h"
#include "text/constraint/json_schema.h"
#include "text/constraint/response_grammar.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;
using Kind = ResponseFormat::Kind;

void refuse(Fields& fields, const Error& error, std::string_view param) {
  ApiError refused = api_error(error, std::string(param));
  refused.code = "invalid_schema";
  fields.fail(std::move(refused));
}

// Checked here, where its place in the request is known.
ResponseFormat schema_at(Fields& fields, const bj::value& schema, const std::string& where) {
  if (const auto made = text::schema_grammar(schema, where); !made) {
    refuse(fields, made.error(), where);
    return {};
  }
  return {.kind = Kind::kJsonSchema, .text = bj::serialize(schema), .choices = {}};
}

ResponseFormat checked(Fields& fields, ResponseFormat format, std::string_view name) {
  if (const auto made = text::response_grammar(format); !made) {
    refuse(fields, made.error(), fields.path_of(name));
    return {};
  }
  return format;
}

// Of an object with `type`, whose schema stands in it or one level deeper.
ResponseFormat typed(Fields& inner) {
  const std::string type = inner.text("type").value_or("");
  inner.ignore({"name", "strict", "description"});
  const bj::value* const flat = inner.any("schema");
  const bj::object* const nested = inner.object("json_schema");
  if (inner.error()) return {};
  if (type == "text") return {};
  if (type != "json_object" && type != "json_schema") {
    inner.fail(
        "type",
        fmt::format("expected text, json_object or json_schema, found \"{}\"", type.substr(0, 40)),
        "unsupported_value");
    return {};
  }
  if (flat != nullptr) return schema_at(inner, *flat, inner.path_of("schema"));
  if (nested != nullptr) {
    Fields deepest(*nested, inner.path_of("json_schema"));
    deepest.ignore({"name", "strict", "description"});
    const bj::value* const schema = deepest.any("schema");
    deepest.finish();
    if (deepest.error()) {
      inner.fail(*deepest.error());
      return {};
    }
    if (schema != nullptr) return schema_at(inner, *schema, deepest.path_of("schema"));
    if (type == "json_schema") inner.fail("json_schema", "schema: is missing");
    return {.kind = Kind::kJsonObject, .text = {}, .choices = {}};
  }
  if (type == "json_schema") inner.fail("json_schema", "is missing");
  return {.kind = Kind::kJsonObject, .text = {}, .choices = {}};
}

// The forms that vLLM's clients ask for, in an object or with a prefix.
ResponseFormat vllm_forms(Fields& fields, const std::string& prefix) {
  ResponseFormat out;
  if (const bj::value* const schema = fields.any(prefix + "json")) {
    if (!schema->is_string()) return schema_at(fields, *schema, fields.path_of(prefix + "json"));
    const std::string text(schema->get_string());
    return checked(fields, {.kind = Kind::kJsonSchema, .text = text, .choices = {}},
                   prefix + "json");
  }
  if (auto choices = fields.texts(prefix + "choice", 10'000); !choices.empty()) {
    out = {.kind = Kind::kChoice, .text = {}, .choices = std::move(choices)};
    return checked(fields, std::move(out), prefix + "choice");
  }
  if (auto regex = fields.text(prefix + "regex")) {
    out = {.kind = Kind::kRegex, .text = *std::move(regex), .choices = {}};
    return checked(fields, std::move(out), prefix + "regex");
  }
  if (fields.any(prefix + "grammar") != nullptr)
    fields.fail(prefix + "grammar", "grammars are not built in: use a schema or an expression",
                "unsupported_parameter");
  return out;
}

}  // namespace

ResponseFormat read_format_object(Fields& fields, std::string_view name) {
  const bj::object* const format = fields.object(name);
  if (format == nullptr) return {};
  Fields inner(*format, fields.path_of(name));
  ResponseFormat found = typed(inner);
  inner.finish();
  if (inner.error()) fields.fail(*inner.error());
  return found;
}

ResponseFormat read_response_format(Fields& fields) {
  std::vector<ResponseFormat> all;
  const auto add = [&](ResponseFormat found) {
    if (found.kind != Kind::kText) all.push_back(std::move(found));
  };
  add(read_format_object(fields, "response_format"));
  if (const bj::value* const schema = fields.any("json_schema"))
    add(schema_at(fields, *schema, fields.path_of("json_schema")));
  add(vllm_forms(fields, "guided_"));
  if (const bj::object* const outputs = fields.object("structured_outputs")) {
    Fields inner(*outputs, fields.path_of("structured_outputs"));
    add(vllm_forms(inner, ""));
    if (inner.boolean("json_object").value_or(false))
      add({.kind = Kind::kJsonObject, .text = {}, .choices = {}});
    inner.ignore({"disable_any_whitespace", "disable_fallback", "disable_additional_properties"});
    inner.finish();
    if (inner.error()) fields.fail(*inner.error());
  }
  if (const auto grammar = fields.text("grammar"); grammar && !grammar->empty())
    fields.fail("grammar", "grammars are not built in: use a schema or an expression",
                "unsupported_parameter");
  if (all.size() > 1) fields.fail("response_format", "expected one form of the answer, found two");
  return all.empty() ? ResponseFormat() : std::move(all.front());
}

ResponseFormat read_ollama_format(Fields& fields) {
  const bj::value* const format = fields.any("format");
  if (format == nullptr || (format->is_string() && format->get_string().empty())) return {};
  if (format->is_string() && format->get_string() == "json")
    return {.kind = Kind::kJsonObject, .text = {}, .choices = {}};
  if (format->is_object()) return schema_at(fields, *format, fields.path_of("format"));
  fields.fail("format", "expected \"json\" or a schema");
  return {};
}

}  // namespace ocellus::server
