#include "formats/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/result.h"
#include "json/python_json.h"

namespace ocellus::formats {

template <typename T>
T ConfigReader::keep(Result<T> result, T fallback) {
  if (result) return *std::move(result);
  fail(ErrorCode::kBadModel, std::move(result).error().message);
  return fallback;
}

void ConfigReader::fail(ErrorCode code, std::string message) {
  if (status_) status_ = std::unexpected(Error{code, std::move(message)});
}

void ConfigReader::join(const ConfigReader& other) {
  if (status_) status_ = other.status_;
}

bool ConfigReader::has(std::string_view key) const {
  const json::bj::value* value =
      object_ == nullptr ? nullptr : object_->if_contains({key.data(), key.size()});
  return value != nullptr && !value->is_null();
}

bool ConfigReader::is_null(std::string_view key) const {
  return object_ != nullptr && object_->contains({key.data(), key.size()}) && !has(key);
}

bool ConfigReader::is_integer(std::string_view key) const {
  return has(key) && object_->at({key.data(), key.size()}).is_int64();
}

std::int64_t ConfigReader::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                   std::int64_t max) {
  if (!has(key)) return fallback;
  return keep(json::get_int(*object_, key, where_, min, max), fallback);
}

double ConfigReader::number(std::string_view key, double fallback) {
  if (!has(key)) return fallback;
  return keep(json::get_number_or(*object_, key, where_, fallback), fallback);
}

double ConfigReader::positive(std::string_view key, double fallback) {
  const double value = number(key, fallback);
  if (!(value > 0)) {
    fail(ErrorCode::kBadModel,
         fmt::format("{}: {}: expected more than 0, found {}", where_, key, value));
  }
  return value;
}

bool ConfigReader::boolean(std::string_view key, bool fallback) {
  if (!has(key)) return fallback;
  return keep(json::get_bool_or(*object_, key, where_, fallback), fallback);
}

std::string ConfigReader::text(std::string_view key, std::string_view fallback) {
  if (!has(key)) return std::string(fallback);
  return keep(json::get_string_or(*object_, key, where_, fallback), std::string(fallback));
}

tensor::Activation ConfigReader::activation(std::string_view key, tensor::Activation fallback) {
  if (!has(key)) return fallback;
  const std::string name = text(key, "");
  const auto activation = tensor::parse_activation(name);
  if (!activation) {
    fail(ErrorCode::kUnsupported,
         fmt::format("{}: {}: unknown activation \"{}\"", where_, key, name));
  }
  return activation.value_or(fallback);
}

std::vector<std::int64_t> ConfigReader::integers(std::string_view key,
                                                 std::vector<std::int64_t> fallback,
                                                 std::int64_t min, std::int64_t max) {
  if (!has(key)) return fallback;
  const json::bj::value& value = object_->at({key.data(), key.size()});
  if (!value.is_array()) return {integer(key, 0, min, max)};
  std::vector<std::int64_t> result;
  for (const json::bj::value& item : value.get_array()) {
    if (!item.is_int64() || item.get_int64() < min || item.get_int64() > max) {
      fail(ErrorCode::kBadModel,
           fmt::format("{}: {}: expected whole numbers from {} to {}, found {}", where_, key, min,
                       max, json::kind_name(item)));
      return fallback;
    }
    result.push_back(item.get_int64());
  }
  return result;
}

std::vector<std::array<std::int64_t, 2>> ConfigReader::pairs(std::string_view key, std::int64_t min,
                                                             std::int64_t max, std::size_t most) {
  if (!has(key)) return {};
  const auto in_range = [&](const json::bj::value& item) {
    return item.is_int64() && item.get_int64() >= min && item.get_int64() <= max;
  };
  std::vector<std::array<std::int64_t, 2>> result;
  const json::bj::array* const array = object_->at({key.data(), key.size()}).if_array();
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    const json::bj::array* const pair = (*array)[i].if_array();
    if (pair == nullptr || pair->size() != 2 || !std::ranges::all_of(*pair, in_range)) break;
    result.push_back({(*pair)[0].get_int64(), (*pair)[1].get_int64()});
  }
  if (array != nullptr && result.size() == array->size() && result.size() <= most) return result;
  fail(ErrorCode::kBadModel,
       fmt::format("{}: {}: expected at most {} pairs of whole numbers from {} to {}", where_, key,
                   most, min, max));
  return {};
}

std::vector<double> ConfigReader::numbers(std::string_view key, std::size_t count, bool positive) {
  if (!has(key)) return {};
  const json::bj::array* array = object_->at({key.data(), key.size()}).if_array();
  const bool good = array != nullptr && array->size() == count &&
                    std::ranges::all_of(*array, [&](const json::bj::value& item) {
                      return item.is_number() && std::isfinite(item.to_number<double>()) &&
                             (!positive || item.to_number<double>() > 0);
                    });
  if (!good) {
    fail(ErrorCode::kBadModel, fmt::format("{}: {}: expected {} {}numbers", where_, key, count,
                                           positive ? "positive " : ""));
    return {};
  }
  std::vector<double> result;
  for (const json::bj::value& item : *array) result.push_back(item.to_number<double>());
  return result;
}

std::vector<std::string> ConfigReader::texts(std::string_view key) {
  if (!has(key)) return {};
  std::vector<std::string> result;
  const json::bj::array* array = object_->at({key.data(), key.size()}).if_array();
  for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
    if (!(*array)[i].is_string()) break;
    result.emplace_back((*array)[i].get_string());
  }
  if (array == nullptr || result.size() != array->size())
    fail(ErrorCode::kBadModel, fmt::format("{}: {}: expected a list of texts", where_, key));
  return result;
}

ConfigReader ConfigReader::child(std::string_view key) {
  const std::string where = fmt::format("{}: {}", where_, key);
  if (!has(key)) return ConfigReader(nullptr, where);
  const json::bj::value& value = object_->at({key.data(), key.size()});
  if (!value.is_object()) {
    fail(ErrorCode::kBadModel,
         fmt::format("{}: expected an object, found {}", where, json::kind_name(value)));
    return ConfigReader(nullptr, where);
  }
  return ConfigReader(&value.get_object(), where);
}

Result<ConfigFile> ConfigFile::parse(std::string_view text, std::string_view file) {
  auto value = json::parse_python(text, file);
  if (!value) return base::make_error(ErrorCode::kBadModel, "{}", value.error().message);
  if (!value->is_object()) {
    return base::make_error(ErrorCode::kBadModel, "{}: expected an object, found {}", file,
                            json::kind_name(*value));
  }
  return ConfigFile(*std::move(value), std::string(file));
}

}  // namespace ocellus::formats
