#include "cli/inspect_gguf.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstring>
#include <fstream>

#include "base/mapped_file.h"
#include "base/result.h"
#include "cli/report.h"
#include "formats/gguf.h"

namespace ocellus::cli {

namespace bj = boost::json;

bool is_gguf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[4] = {};
  return file.read(magic, sizeof magic) && std::memcmp(magic, "GGUF", sizeof magic) == 0;
}

Status inspect_gguf(const std::string& path, bool json) {
  OCELLUS_ASSIGN_OR_RETURN(const base::MappedFile mapped, base::MappedFile::open(path));
  OCELLUS_ASSIGN_OR_RETURN(const formats::GgufFile file,
                           formats::GgufFile::parse(mapped.bytes(), path));
  std::int64_t parameters = 0;
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : file.tensors()) {
    parameters += tensor.shape.elements().value_or(0);
    bytes += tensor.data.size();
  }
  if (json) {
    bj::object metadata;
    for (const auto& [key, value] : file.metadata())
      metadata.emplace(key, formats::describe(value));
    bj::array tensors;
    for (const auto& [name, tensor] : file.tensors()) {
      tensors.push_back(
          {{"name", name},
           {"dtype", tensor.type},
           {"shape", bj::array(tensor.shape.dims().begin(), tensor.shape.dims().end())}});
    }
    print_json({{"kind", "gguf"},
                {"path", path},
                {"version", file.version()},
                {"parameters", parameters},
                {"weight_bytes", bytes},
                {"metadata", std::move(metadata)},
                {"tensors", std::move(tensors)}});
    return {};
  }
  print(fmt::format("{}: GGUF version {}, {:.1f} million parameters in {} tensors, {}\n", path,
                    file.version(), static_cast<double>(parameters) / 1e6, file.tensors().size(),
                    human_bytes(static_cast<double>(bytes))));
  for (const auto& [key, value] : file.metadata())
    print(fmt::format("  {} = {}\n", key, formats::describe(value)));
  for (const auto& [name, tensor] : file.tensors())
    print(fmt::format("  {:5} {:20} {}\n", tensor.type, tensor.shape.to_string(), name));
  return {};
}

}  // namespace ocellus::cli
