#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/result.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "formats/gguf_cursor.h"
#include "formats/gguf_types.h"

namespace ocellus::formats {
namespace {

using base::make_error;
using enum GgufType;

template <typename T>
T value_at(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

bool is_number(GgufType type) { return type != kString && type != kArray && type != kBool; }

// An integer or float of the given type.
double number_of(GgufType type, const std::byte* from) {
  switch (type) {
    case kU8:
      return value_at<std::uint8_t>(from);
    case kI8:
      return value_at<std::int8_t>(from);
    case kU16:
      return value_at<std::uint16_t>(from);
    case kI16:
      return value_at<std::int16_t>(from);
    case kU32:
      return value_at<std::uint32_t>(from);
    case kI32:
      return value_at<std::int32_t>(from);
    case kF32:
      return value_at<float>(from);
    case kU64:
      return static_cast<double>(value_at<std::uint64_t>(from));
    case kI64:
      return static_cast<double>(value_at<std::int64_t>(from));
    default:
      return value_at<double>(from);
  }
}

std::string_view kind_of(const GgufValue& value) {
  constexpr std::string_view kNames[] = {"an integer", "an integer", "a number",
                                         "a boolean",  "a text",     "an array"};
  return kNames[value.index()];
}

}  // namespace

Result<tensor::TensorView> GgufTensor::view(std::string_view name) const {
  const GgufTensorType* const known = find_gguf_tensor_type(std::string_view(type));
  if (known == nullptr || !known->dtype) {
    return make_error(ErrorCode::kUnsupported, "tensor {}: type {} cannot be computed with", name,
                      type);
  }
  return tensor::TensorView{*known->dtype, shape, data};
}

const GgufValue* GgufMetadata::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

Result<std::int64_t> GgufMetadata::integer(std::string_view key, std::int64_t min,
                                           std::int64_t max) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  std::int64_t found = 0;
  if (const auto* u = std::get_if<std::uint64_t>(value)) {
    found = static_cast<std::int64_t>(std::min<std::uint64_t>(*u, INT64_MAX));
  } else if (const auto* i = std::get_if<std::int64_t>(value)) {
    found = *i;
  } else {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected an integer, found {}", file_, key,
                      kind_of(*value));
  }
  if (found < min || found > max) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected {} to {}, found {}", file_, key, min,
                      max, describe(*value));
  }
  return found;
}

Result<std::int64_t> GgufMetadata::integer_or(std::string_view key, std::int64_t fallback,
                                              std::int64_t min, std::int64_t max) const {
  return has(key) ? integer(key, min, max) : Result<std::int64_t>(fallback);
}

Result<double> GgufMetadata::number_or(std::string_view key, double fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return fallback;
  double found = NAN;
  if (const auto* d = std::get_if<double>(value)) found = *d;
  if (const auto* u = std::get_if<std::uint64_t>(value)) found = static_cast<double>(*u);
  if (const auto* i = std::get_if<std::int64_t>(value)) found = static_cast<double>(*i);
  if (!std::isfinite(found)) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected a finite number, found {}", file_,
                      key, describe(*value));
  }
  return found;
}

Result<bool> GgufMetadata::boolean_or(std::string_view key, bool fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return fallback;
  if (const auto* b = std::get_if<bool>(value)) return *b;
  return make_error(ErrorCode::kBadModel, "{}: {}: expected a boolean, found {}", file_, key,
                    kind_of(*value));
}

Result<std::string> GgufMetadata::text(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  const auto* text = std::get_if<std::string_view>(value);
  if (text == nullptr || !base::is_valid_utf8(*text)) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected a text in UTF-8, found {}", file_,
                      key, text == nullptr ? kind_of(*value) : "other bytes");
  }
  return std::string(*text);
}

Result<std::string> GgufMetadata::text_or(std::string_view key, std::string fallback) const {
  return has(key) ? text(key) : Result<std::string>(std::move(fallback));
}

Result<std::vector<std::string_view>> GgufMetadata::texts(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  const auto* array = std::get_if<GgufArray>(value);
  if (array == nullptr || GgufType{array->type} != kString) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected an array of texts, found {}", file_,
                      key, describe(*value));
  }
  std::vector<std::string_view> texts(static_cast<std::size_t>(array->count));
  GgufCursor cursor(array->data, 0);
  for (std::string_view& text : texts) cursor.read_text(text);
  return texts;
}

Result<std::vector<double>> GgufMetadata::numbers(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  const auto* array = std::get_if<GgufArray>(value);
  if (array == nullptr || !is_number(GgufType{array->type})) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected an array of numbers, found {}", file_,
                      key, describe(*value));
  }
  const GgufType type{array->type};
  std::vector<double> numbers(static_cast<std::size_t>(array->count));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = number_of(type, array->data.data() + i * gguf_type_bytes(type));
  return numbers;
}

std::string describe(const GgufValue& value) {
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return fmt::format("{}", *u);
  if (const auto* i = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *i);
  if (const auto* d = std::get_if<double>(&value)) {
    // Most were f32: the shortest text that gives the same f32.
    const auto narrow = static_cast<float>(*d);
    return static_cast<double>(narrow) == *d ? fmt::format("{}", narrow) : fmt::format("{}", *d);
  }
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    constexpr std::size_t kShown = 60;
    const bool cut = text->size() > kShown;
    return fmt::format("\"{}{}\"", base::replace_invalid_utf8(text->substr(0, kShown)),
                       cut ? "..." : "");
  }
  const auto& array = std::get<GgufArray>(value);
  return fmt::format("[{} of {}]", array.count, gguf_type_name(GgufType{array.type}));
}

}  // namespace ocellus::formats
