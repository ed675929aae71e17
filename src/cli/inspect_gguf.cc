#include "cli/inspect_gguf.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>

#include "base/mapped_file.h"
#include "base/result.h"
#include "base/utf8.h"
#include "cli/report.h"
#include "formats/gguf.h"

namespace ocellus::cli {
namespace {

namespace bj = boost::json;
using formats::GgufFile;

constexpr std::uint64_t kShortArray = 16;  // shown whole; a vocabulary is not

struct Share {
  std::int64_t tensors = 0;
  std::size_t bytes = 0;
};

bj::value number(double value) { return std::isfinite(value) ? bj::value(value) : bj::value(); }

// A short array of numbers; nothing for another value.
std::optional<std::vector<double>> short_numbers(const GgufFile& file, const std::string& key,
                                                 const formats::GgufValue& value) {
  const auto* array = std::get_if<formats::GgufArray>(&value);
  if (array == nullptr || array->count > kShortArray) return std::nullopt;
  auto numbers = file.numbers(key);
  return numbers ? std::optional(*std::move(numbers)) : std::nullopt;
}

bj::value to_json(const GgufFile& file, const std::string& key, const formats::GgufValue& value) {
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return *u;
  if (const auto* i = std::get_if<std::int64_t>(&value)) return *i;
  if (const auto* d = std::get_if<double>(&value)) return number(*d);
  if (const auto* b = std::get_if<bool>(&value)) return *b;
  if (const auto* text = std::get_if<std::string_view>(&value))
    return bj::string(base::replace_invalid_utf8(*text));
  if (const auto numbers = short_numbers(file, key, value)) {
    bj::array all;
    for (const double each : *numbers) all.push_back(number(each));
    return all;
  }
  const auto& array = std::get<formats::GgufArray>(value);
  const std::string_view type = formats::gguf_type_name(formats::GgufType{array.type});
  return {{"array_of", bj::string(type.data(), type.size())}, {"count", array.count}};
}

std::string to_text(const GgufFile& file, const std::string& key, const formats::GgufValue& value) {
  if (const auto numbers = short_numbers(file, key, value)) {
    std::vector<std::string> texts;
    for (const double each : *numbers) texts.push_back(formats::describe(each));
    return fmt::format("[{}]", fmt::join(texts, ", "));
  }
  return one_line(formats::describe(value));
}

Status print_as_json(const GgufFile& file, const std::string& path,
                     const std::map<std::string, Share>& types, std::int64_t parameters,
                     std::size_t bytes, const std::optional<PairMemory>& pair) {
  bj::object metadata, by_type;
  for (const auto& [key, value] : file.metadata()) metadata.emplace(key, to_json(file, key, value));
  for (const auto& [type, share] : types)
    by_type.emplace(type, bj::object{{"tensors", share.tensors}, {"bytes", share.bytes}});
  bj::array tensors;
  for (const auto& [name, tensor] : file.tensors()) {
    tensors.push_back({{"name", name},
                       {"dtype", tensor.type},
                       {"shape", bj::array(tensor.shape.dims().begin(), tensor.shape.dims().end())},
                       {"bytes", tensor.data.size()}});
  }
  bj::object all = {
      {"kind", "gguf"},           {"path", path},          {"version", file.version()},
      {"parameters", parameters}, {"weight_bytes", bytes}, {"types", std::move(by_type)}};
  if (pair) {
    all["pair"] = {{"mmproj", pair->mmproj},
                   {"weight_bytes", pair->weight_bytes},
                   {"kv_cache_bytes", pair->kv_cache_bytes},
                   {"context_tokens", pair->context_tokens}};
  }
  all["metadata"] = std::move(metadata);
  all["tensors"] = std::move(tensors);
  return print_json(all);
}

}  // namespace

bool is_gguf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  return file.read(magic, sizeof magic) && std::memcmp(magic, "GGUF", sizeof magic) == 0;
}

Status inspect_gguf(const std::string& path, const std::optional<PairMemory>& pair, bool tensors,
                    bool json) {
  OCELLUS_ASSIGN_OR_RETURN(const base::MappedFile mapped, base::MappedFile::open(path));
  OCELLUS_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::parse(mapped.bytes(), path));
  std::map<std::string, Share> types;
  std::int64_t parameters = 0;
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : file.tensors()) {
    parameters += tensor.shape.elements().value_or(0);
    bytes += tensor.data.size();
    Share& share = types[tensor.type];
    ++share.tensors;
    share.bytes += tensor.data.size();
  }
  if (json) return print_as_json(file, path, types, parameters, bytes, pair);
  std::string text =
      fmt::format("{}: GGUF version {}, {:.1f} million parameters in {} tensors, {}\n", path,
                  file.version(), static_cast<double>(parameters) / 1e6, file.tensors().size(),
                  human_bytes(static_cast<double>(bytes)));
  for (const auto& [type, share] : types) {
    text += fmt::format("  {:5} {} tensors, {}\n", type, share.tensors,
                        human_bytes(static_cast<double>(share.bytes)));
  }
  if (pair) {
    text +=
        fmt::format("  memory with {}: {} weights as stored, {} key-value cache for {} tokens\n",
                    pair->mmproj, human_bytes(static_cast<double>(pair->weight_bytes)),
                    human_bytes(static_cast<double>(pair->kv_cache_bytes)), pair->context_tokens);
  }
  for (const auto& [key, value] : file.metadata())
    text += fmt::format("  {} = {}\n", one_line(key), to_text(file, key, value));
  for (const auto& [name, tensor] : tensors ? file.tensors() : GgufFile::Tensors())
    text += fmt::format("  {:5} {:20} {}\n", tensor.type, tensor.shape.to_string(), one_line(name));
  return print(text);
}

}  // namespace ocellus::cli
