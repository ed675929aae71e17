#include "server/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "json/json.h"

namespace ocellus::server {

namespace bj = boost::json;

std::expected<bj::object, ApiError> parse_body(std::string_view body) {
  auto document = json::parse(body, "body");
  if (document && document->is_object()) return std::move(document->get_object());
  return std::unexpected(ApiError{
      .code = "invalid_json",
      .message = document ? "body: expected an object" : short_message(document.error().message)});
}

std::string Fields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void Fields::fail(std::string_view name, std::string message, std::string code) {
  if (error_) return;
  const std::string path = path_of(name);
  error_ = {.status = 400,
            .code = std::move(code),
            .message = short_message(fmt::format("{}: {}", path, message)),
            .param = path};
}

void Fields::fail(ApiError error) {
  if (!error_) error_ = std::move(error);
}

void Fields::wrong_type(std::string_view name, std::string_view expected, const bj::value& found) {
  fail(name, fmt::format("expected {}, found {}", expected, json::kind_name(found)),
       "invalid_type");
}

const bj::value* Fields::any(std::string_view name) {
  known_.emplace_back(name);
  const bj::value* const found = object_.if_contains({name.data(), name.size()});
  return found == nullptr || found->is_null() || error_ ? nullptr : found;
}

std::optional<double> Fields::number(std::string_view name, double min, double max) {
  const bj::value* const value = any(name);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) return wrong_type(name, "a number", *value), std::nullopt;
  const double found = value->to_number<double>();
  if (found >= min && found <= max) return found;
  fail(name, fmt::format("expected {} to {}, found {}", min, max, found));
  return std::nullopt;
}

std::optional<float> Fields::real(std::string_view name, double min, double max) {
  const std::optional<double> value = number(name, min, max);
  return value ? std::optional(static_cast<float>(*value)) : std::nullopt;
}

std::optional<std::int64_t> Fields::integer(std::string_view name, std::int64_t min,
                                            std::int64_t max) {
  const bj::value* const value = any(name);
  if (value == nullptr) return std::nullopt;
  // 5.0 is the integer 5 to JSON Schema and to clients in languages that know floats only.
  const bool whole = value->is_double() &&
                     value->get_double() == static_cast<double>(static_cast<std::int64_t>(
                                                std::clamp(value->get_double(), -9e15, 9e15)));
  if (!value->is_int64() && !whole) {
    wrong_type(name, "an integer", *value);
    return std::nullopt;
  }
  const std::int64_t found =
      whole ? static_cast<std::int64_t>(value->get_double()) : value->get_int64();
  if (found >= min && found <= max) return found;
  fail(name, fmt::format("expected {} to {}, found {}", min, max, found));
  return std::nullopt;
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const bj::value* const value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  wrong_type(name, "a boolean", *value);
  return std::nullopt;
}

std::optional<std::string> Fields::text(std::string_view name) {
  const bj::value* const value = any(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_string())
    return std::string(value->get_string().data(), value->get_string().size());
  wrong_type(name, "a string", *value);
  return std::nullopt;
}

std::vector<std::string> Fields::texts(std::string_view name, std::size_t max) {
  const bj::value* const value = any(name);
  if (value == nullptr) return {};
  if (value->is_string())
    return {std::string(value->get_string().data(), value->get_string().size())};
  const bj::array* const array = value->if_array();
  if (array == nullptr)
    return wrong_type(name, "a string or an array of strings", *value), std::vector<std::string>();
  if (array->size() > max) {
    fail(name, fmt::format("expected at most {} strings, found {}", max, array->size()));
    return {};
  }
  std::vector<std::string> out;
  for (const bj::value& item : *array) {
    if (!item.is_string()) return wrong_type(name, "strings", item), std::vector<std::string>();
    out.emplace_back(item.get_string().data(), item.get_string().size());
  }
  return out;
}

const bj::object* Fields::object(std::string_view name) {
  const bj::value* const value = any(name);
  if (value == nullptr) return nullptr;
  if (value->is_object()) return &value->get_object();
  wrong_type(name, "an object", *value);
  return nullptr;
}

void Fields::ignore(std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (any(name) != nullptr) ignored_.push_back(path_of(name));
}

void Fields::finish() {
  for (const auto& [key, value] : object_) {
    const std::string_view name(key.data(), key.size());
    if (value.is_null() || std::ranges::find(known_, name) != known_.end()) continue;
    fail(name.substr(0, 80), "is not a field that this server knows", "unknown_parameter");
  }
}

}  // namespace ocellus::server
