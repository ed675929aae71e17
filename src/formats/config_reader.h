// Reading a JSON file of a checkpoint: typed, with ranges; every error is a kBadModel that names
// file and key.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "json/json.h"
#include "ocellus/error.h"
#include "tensor/activation.h"

namespace ocellus::formats {

// Reads one object. Keeps the first error instead of returning one from each call: a reader of
// thirty fields stays thirty lines. Borrows the object. One thread.
class ConfigReader {
 public:
  // `object` may be null: then every field is absent.
  ConfigReader(const json::bj::object* object, std::string where)
      : object_(object), where_(std::move(where)) {}

  bool is_given() const { return object_ != nullptr; }  // the object itself
  bool has(std::string_view key) const;                 // present and not null
  bool is_null(std::string_view key) const;             // present and null
  bool is_integer(std::string_view key) const;
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
  // A list of pairs of integers from `min` to `max`, at most `most` of them; empty where it is
  // absent or wrong.
  std::vector<std::array<std::int64_t, 2>> pairs(std::string_view key, std::int64_t min,
                                                 std::int64_t max, std::size_t most);
  // A list of exactly `count` finite numbers, all above 0 where `positive`; empty where it is
  // absent or wrong.
  std::vector<double> numbers(std::string_view key, std::size_t count, bool positive);
  // A list of texts; empty where it is absent.
  std::vector<std::string> texts(std::string_view key);
  // A reader for the object under `key`; of nothing where it is absent. Its errors are its own:
  // join() them.
  ConfigReader child(std::string_view key);
  void join(const ConfigReader& other);

  void fail(ErrorCode code, std::string message);
  Status status() const { return status_; }
  const std::string& where() const { return where_; }

 private:
  template <typename T>
  T keep(Result<T> result, T fallback);

  const json::bj::object* object_;
  std::string where_;
  Status status_;
};

// A file that is one JSON object. Owns it; readers must not outlive it or its move.
class ConfigFile {
 public:
  // Strict: no duplicate keys. kBadModel naming `file`.
  static Result<ConfigFile> parse(std::string_view text, std::string_view file);

  ConfigReader reader() const { return ConfigReader(&object(), file_); }
  const json::bj::object& object() const { return value_.get_object(); }

 private:
  ConfigFile(json::bj::value value, std::string file)
      : value_(std::move(value)), file_(std::move(file)) {}

  json::bj::value value_;
  std::string file_;
};

}  // namespace ocellus::formats
