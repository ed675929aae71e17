#include "models/ollama_store.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/read_file.h"
#include "base/result.h"
#include "json/python_json.h"

namespace ocellus::models {
namespace {

namespace fs = std::filesystem;
namespace bj = json::bj;
using base::make_error;

constexpr std::size_t kMaxManifestBytes = 1 << 20;
constexpr int kMaxLevels = 8;          // from a manifest up to the store
constexpr int kMaxManifests = 10'000;  // that are looked through for a blob's

constexpr std::string_view kModelLayer = "application/vnd.ollama.image.model";
constexpr std::string_view kProjectorLayer = "application/vnd.ollama.image.projector";

// File names of blobs, "sha256-<64 digits>"; empty where there is no such layer.
struct Manifest {
  std::string model, projector;
};

std::optional<Manifest> read_manifest(const fs::path& path) {
  const auto text = base::read_file(path, kMaxManifestBytes);
  if (!text || !text->starts_with('{')) return std::nullopt;
  const auto document = json::parse_python(*text, path.string());
  const bj::object* const object = document ? document->if_object() : nullptr;
  const bj::value* const layers = object == nullptr ? nullptr : object->if_contains("layers");
  if (layers == nullptr || !layers->is_array() || !object->contains("schemaVersion"))
    return std::nullopt;
  Manifest manifest;
  for (const bj::value& layer : layers->get_array()) {
    const bj::object* const fields = layer.if_object();
    const bj::value* const type = fields == nullptr ? nullptr : fields->if_contains("mediaType");
    const bj::value* const digest = fields == nullptr ? nullptr : fields->if_contains("digest");
    if (type == nullptr || digest == nullptr || !type->is_string() || !digest->is_string())
      continue;
    std::string name(digest->get_string().data(), digest->get_string().size());
    std::ranges::replace(name, ':', '-');
    // A bare name: nothing that leads out of the folder of blobs.
    if (!name.starts_with("sha256-") || name.find('/') != std::string::npos) continue;
    if (type->get_string() == kModelLayer && manifest.model.empty()) manifest.model = name;
    if (type->get_string() == kProjectorLayer) manifest.projector = name;
  }
  return manifest;
}

Result<GgufPair> files_of(const fs::path& path, const Manifest& manifest) {
  if (manifest.model.empty() || manifest.projector.empty()) {
    return make_error(ErrorCode::kBadModel,
                      "{}: expected a manifest with a model and a projector layer, found none of "
                      "type {}",
                      path.string(), manifest.model.empty() ? kModelLayer : kProjectorLayer);
  }
  std::error_code ec;
  fs::path store = fs::absolute(path, ec).parent_path();
  for (int level = 0; level < kMaxLevels; ++level, store = store.parent_path()) {
    const fs::path model = store / "blobs" / manifest.model;
    if (!fs::is_regular_file(model, ec)) continue;
    const fs::path projector = store / "blobs" / manifest.projector;
    if (!fs::is_regular_file(projector, ec)) break;
    return GgufPair{{model}, projector};
  }
  return make_error(ErrorCode::kBadModel,
                    "{}: expected its files {} and {} in a folder blobs above it, found not both: "
                    "pull the model again",
                    path.string(), manifest.model, manifest.projector);
}

}  // namespace

Result<std::optional<GgufPair>> find_ollama_model(const fs::path& path) {
  std::error_code ec;
  fs::path file = path;
  if (fs::is_directory(path, ec)) {
    std::vector<fs::path> tags;
    for (const auto& entry : fs::directory_iterator(path, ec))
      if (entry.is_regular_file(ec) && read_manifest(entry.path())) tags.push_back(entry.path());
    if (tags.empty()) return std::nullopt;
    const auto latest = std::ranges::find(tags, fs::path("latest"), &fs::path::filename);
    if (latest == tags.end() && tags.size() > 1) {
      return make_error(ErrorCode::kInvalidArgument,
                        "{}: expected one tag or latest, found {} tags: name one of them",
                        path.string(), tags.size());
    }
    file = latest == tags.end() ? tags.front() : *latest;
  }
  const auto manifest = read_manifest(file);
  if (!manifest) return std::nullopt;
  OCELLUS_ASSIGN_OR_RETURN(GgufPair pair, files_of(file, *manifest));
  return pair;
}

bool is_ollama_manifest(const fs::path& path) {
  std::error_code ec;
  return fs::is_regular_file(path, ec) && read_manifest(path).has_value();
}

fs::path find_ollama_projector(const fs::path& blob) {
  std::error_code ec;
  const std::string name = blob.filename().string();
  const fs::path store = fs::absolute(blob, ec).parent_path().parent_path();
  if (!name.starts_with("sha256-") || blob.parent_path().filename() != "blobs") return {};
  int seen = 0;
  for (auto it = fs::recursive_directory_iterator(
           store / "manifests", fs::directory_options::skip_permission_denied, ec);
       !ec && it != fs::recursive_directory_iterator() && seen < kMaxManifests; it.increment(ec)) {
    if (!it->is_regular_file(ec)) continue;
    ++seen;
    const auto manifest = read_manifest(it->path());
    if (!manifest || manifest->model != name || manifest->projector.empty()) continue;
    const fs::path projector = store / "blobs" / manifest->projector;
    if (fs::is_regular_file(projector, ec)) return projector;
  }
  return {};
}

}  // namespace ocellus::models
