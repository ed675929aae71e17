// The fields of a JSON request: each is read, known to change nothing, or refused by its path.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/api_error.h"

namespace ocellus::server {

// The body of a request, which must be one JSON object.
std::expected<boost::json::object, ApiError> parse_body(std::string_view body);

// The first mistake is kept; after it everything reads as absent. Null is absent.
class Fields {
 public:
  // `path` of the object: "" for the body, "stream_options" for a part of it.
  explicit Fields(const boost::json::object& object, std::string path = "")
      : object_(object), path_(std::move(path)) {}

  std::optional<double> number(std::string_view name, double min, double max);
  std::optional<float> real(std::string_view name, double min, double max);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> text(std::string_view name);
  // A text, or an array of at most `max` of them.
  std::vector<std::string> texts(std::string_view name, std::size_t max);
  const boost::json::object* object(std::string_view name);
  const boost::json::value* any(std::string_view name);

  // Accepted without effect; listed in ignored() where they are there.
  void ignore(std::initializer_list<std::string_view> names);
  void fail(std::string_view name, std::string message, std::string code = "invalid_value");
  void fail(ApiError error);  // one that names its part itself
  // The last call: every key that was not asked for is a mistake.
  void finish();

  std::string path_of(std::string_view name) const;
  const std::optional<ApiError>& error() const { return error_; }
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  void wrong_type(std::string_view name, std::string_view expected,
                  const boost::json::value& found);

  const boost::json::object& object_;
  std::string path_;
  std::vector<std::string> known_, ignored_;
  std::optional<ApiError> error_;
};

}  // namespace ocellus::server
