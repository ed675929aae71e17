// Reading one JSON object of a checkpoint: typed, ranged, and every complaint a kBadModel that
// names file and key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "tensor/activation.h"

namespace ocellus::formats {

// Collects the first error instead of returning one from each call: a reader of thirty fields stays
// thirty lines.
class ConfigReader {
 public:
  // `object` may be null: then every field is absent.
  ConfigReader(const json::bj::object* object, std::string where)
      : object_(object), where_(std::move(where)) {}

  bool has(std::string_view key) const;  // present and not null
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                       std::int64_t max);
  double number(std::string_view key, double fallback);
  double positive(std::string_view key, double fallback);
  bool boolean(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  tensor::Activation activation(std::string_view key, tensor::Activation fallback);
  // An integer or a list of them.
  std::vector<std::int64_t> integers(std::string_view key, std::vector<std::int64_t> fallback,
                                     std::int64_t min, std::int64_t max);
  // A reader for the object under `key`; of nothing where it is absent. Its errors are its own:
  // join() them.
  ConfigReader child(std::string_view key);
  void join(const ConfigReader& other);

  void fail(ErrorCode code, std::string message);
  Status status() const { return status_; }
  const std::string& where() const { return where_; }
  const json::bj::object* object() const { return object_; }

 private:
  template <typename T>
  T keep(Result<T> result, T fallback);

  const json::bj::object* object_;
  std::string where_;
  Status status_;
};

}  // namespace ocellus::formats
