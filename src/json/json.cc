#include "json/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/stream_parser.hpp>
#include <cmath>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "base/utf8.h"

namespace ocellus::json {
namespace {

// The first of two passes: refuses what the DOM parser accepts without a word (of duplicate keys it
// keeps the last value). It holds the keys of the open objects only.
class KeyChecker {
 public:
  static constexpr std::size_t max_object_size = std::size_t(-1);
  static constexpr std::size_t max_array_size = std::size_t(-1);
  static constexpr std::size_t max_key_size = std::size_t(-1);
  static constexpr std::size_t max_string_size = std::size_t(-1);

  using error_code = boost::system::error_code;
  using string_view = bj::string_view;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    open_.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    open_.pop_back();
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_key_part(string_view part, std::size_t, error_code&) {
    key_.append(part.data(), part.size());
    return true;
  }
  bool on_key(string_view part, std::size_t, error_code& ec) {
    key_.append(part.data(), part.size());
    if (!open_.back().insert(key_).second) {
      duplicate_ = key_;
      ec = bj::error::syntax;
      return false;
    }
    key_.clear();
    return true;
  }
  bool on_string_part(string_view, std::size_t, error_code&) { return true; }
  bool on_string(string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, string_view token, error_code&) {
    negative_zero_ |= value == 0 && token.starts_with('-');
    return true;
  }
  bool on_uint64(std::uint64_t, string_view, error_code&) { return true; }
  bool on_double(double, string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

  const std::string& duplicate() const { return duplicate_; }
  bool negative_zero() const { return negative_zero_; }

 private:
  std::vector<std::unordered_set<std::string>> open_;
  std::string key_;
  std::string duplicate_;
  bool negative_zero_ = false;
};

std::unexpected<Error> wrong_type(std::string_view what, std::string_view key,
                                  std::string_view expected, const bj::value& found) {
  return base::make_error(ErrorCode::kInvalidArgument, "{}: {}: expected {}, found {}", what, key,
                          expected, kind_name(found));
}

const bj::value* find(const bj::object& object, std::string_view key) {
  const bj::value* value = object.if_contains({key.data(), key.size()});
  return value != nullptr && value->is_null() ? nullptr : value;
}

}  // namespace

std::string_view kind_name(const bj::value& value) noexcept {
  switch (value.kind()) {
    case bj::kind::null:
      return "null";
    case bj::kind::bool_:
      return "a boolean";
    case bj::kind::int64:
    case bj::kind::uint64:
      return "an integer";
    case bj::kind::double_:
      return "a number";
    case bj::kind::string:
      return "a string";
    case bj::kind::array:
      return "an array";
    case bj::kind::object:
      return "an object";
  }
  return "?";
}

Result<bj::value> parse(std::string_view text, std::string_view what, const Limits& limits) {
  // Boost.JSON checks UTF-8 inside strings; this check also covers its fast paths and gives the
  // offset.
  if (const std::size_t valid = base::valid_utf8_prefix(text); valid != text.size()) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: byte {}: expected UTF-8", what,
                            valid);
  }
  bj::parse_options options;
  options.max_depth = limits.max_depth;
  boost::system::error_code ec;
  if (limits.reject_duplicate_keys || limits.reject_negative_zero) {
    bj::basic_parser<KeyChecker> checker(options);
    const std::size_t end = checker.write_some(false, text.data(), text.size(), ec);
    if (limits.reject_duplicate_keys && !checker.handler().duplicate().empty()) {
      return base::make_error(ErrorCode::kInvalidArgument, "{}: duplicate key \"{}\"", what,
                              checker.handler().duplicate());
    }
    if (ec) {
      return base::make_error(ErrorCode::kInvalidArgument, "{}: not valid JSON near byte {}: {}",
                              what, end, ec.message());
    }
    if (limits.reject_negative_zero && checker.handler().negative_zero()) {
      return base::make_error(ErrorCode::kInvalidArgument, "{}: found the number -0, expected 0",
                              what);
    }
  }
  bj::stream_parser parser({}, options);
  const std::size_t used = parser.write_some(text.data(), text.size(), ec);
  if (ec) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: not valid JSON near byte {}: {}",
                            what, used, ec.message());
  }
  parser.finish(ec);
  if (ec) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: unexpected end of the document",
                            what);
  }
  if (text.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: byte {}: expected the end of the document", what, used);
  }
  return parser.release();
}

Result<std::int64_t> get_int(const bj::object& object, std::string_view key, std::string_view what,
                             std::int64_t min, std::int64_t max) {
  const bj::value* value = find(object, key);
  if (value == nullptr) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: {} is missing", what, key);
  }
  if (!value->is_int64() && !value->is_uint64()) return wrong_type(what, key, "an integer", *value);
  if (value->is_uint64() || value->get_int64() < min || value->get_int64() > max) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: {}: expected {} to {}, found {}",
                            what, key, min, max,
                            value->is_uint64() ? std::to_string(value->get_uint64())
                                               : std::to_string(value->get_int64()));
  }
  return value->get_int64();
}

Result<std::int64_t> get_int_or(const bj::object& object, std::string_view key,
                                std::string_view what, std::int64_t fallback, std::int64_t min,
                                std::int64_t max) {
  if (find(object, key) == nullptr) return fallback;
  return get_int(object, key, what, min, max);
}

Result<double> get_number_or(const bj::object& object, std::string_view key, std::string_view what,
                             double fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) return wrong_type(what, key, "a number", *value);
  const double number = value->to_number<double>();
  if (!std::isfinite(number)) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: {}: expected a finite number", what,
                            key);
  }
  return number;
}

Result<bool> get_bool_or(const bj::object& object, std::string_view key, std::string_view what,
                         bool fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_bool()) return wrong_type(what, key, "a boolean", *value);
  return value->get_bool();
}

Result<std::string> get_string_or(const bj::object& object, std::string_view key,
                                  std::string_view what, std::string_view fallback) {
  const bj::value* value = find(object, key);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) return wrong_type(what, key, "a string", *value);
  return std::string(value->get_string().data(), value->get_string().size());
}

Result<const bj::object*> get_object_or_null(const bj::object& object, std::string_view key,
                                             std::string_view what) {
  const bj::value* value = find(object, key);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) return wrong_type(what, key, "an object", *value);
  return &value->get_object();
}

Result<const bj::array*> get_array_or_null(const bj::object& object, std::string_view key,
                                           std::string_view what) {
  const bj::value* value = find(object, key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) return wrong_type(what, key, "an array", *value);
  return &value->get_array();
}

}  // namespace ocellus::json
