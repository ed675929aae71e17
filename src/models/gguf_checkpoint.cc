#include "models/gguf_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "formats/foreign_file.h"
#include "formats/gguf_vocabulary.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::GgufFile;
namespace fs = std::filesystem;

Result<GgufFile> map_gguf(Checkpoint& c, const fs::path& path) {
  OCELLUS_ASSIGN_OR_RETURN(base::MappedFile file, base::MappedFile::open(path));
  if (const std::string foreign = formats::foreign_file(file.bytes()); !foreign.empty())
    return make_error(ErrorCode::kBadModel, "{}: expected GGUF, {}", path.string(), foreign);
  OCELLUS_ASSIGN_OR_RETURN(GgufFile parsed, GgufFile::parse(file.bytes(), path.string()));
  c.files.push_back(std::move(file));
  return parsed;
}

Status list_tensors(const GgufFile& file, std::size_t number, StoredTensors& tensors) {
  for (const auto& [name, tensor] : file.tensors()) {
    const auto view = tensor.view(name);
    const auto [place, added] = tensors.emplace(
        name, StoredTensor{.name = name,
                           .type = tensor.type,
                           .dtype = view ? std::optional(view->dtype) : std::nullopt,
                           .shape = tensor.shape,
                           .data = tensor.data,
                           .file = number});
    if (!added) {
      return make_error(ErrorCode::kBadModel, "{}: tensor {}: also in another part", file.file(),
                        name);
    }
  }
  return {};
}

// Parts of one model, in order, and all of them. Format: split.no, split.count and
// split.tensors.count, as llama.cpp's gguf-split writes them.
Status check_part(const GgufFile& file, std::size_t number, std::size_t count) {
  constexpr std::int64_t kMaxParts = 99'999;
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t found_count,
                           file.integer_or("split.count", 1, 0, kMaxParts));
  OCELLUS_ASSIGN_OR_RETURN(
      const std::int64_t found_number,
      file.integer_or("split.no", static_cast<std::int64_t>(number), 0, kMaxParts));
  if (std::max<std::int64_t>(1, found_count) == static_cast<std::int64_t>(count) &&
      found_number == static_cast<std::int64_t>(number)) {
    return {};
  }
  return make_error(ErrorCode::kBadModel,
                    "{}: split.no, split.count: expected part {} of {}, found part {} of {}: keep "
                    "all parts in one folder under their names NAME-00001-of-0000N.gguf",
                    file.file(), number + 1, count, found_number + 1, found_count);
}

Status check_tensor_count(const GgufFile& first, std::size_t found) {
  OCELLUS_ASSIGN_OR_RETURN(
      const std::int64_t expected,
      first.integer_or("split.tensors.count", static_cast<std::int64_t>(found), 0, 1 << 30));
  if (expected == static_cast<std::int64_t>(found)) return {};
  return make_error(ErrorCode::kBadModel,
                    "{}: split.tensors.count: expected {} tensors in all parts, found {}",
                    first.file(), expected, found);
}

}  // namespace

Result<Checkpoint> load_gguf_checkpoint(const GgufPair& pair) {
  Checkpoint c;
  c.path = pair.language.front();
  std::optional<GgufFile> language;  // the first part, which has the keys
  for (std::size_t number = 0; number < pair.language.size(); ++number) {
    OCELLUS_ASSIGN_OR_RETURN(GgufFile part, map_gguf(c, pair.language[number]));
    OCELLUS_RETURN_IF_ERROR(check_part(part, number, pair.language.size()));
    OCELLUS_RETURN_IF_ERROR(list_tensors(part, number, c.tensors));
    if (number == 0) language = std::move(part);
  }
  OCELLUS_RETURN_IF_ERROR(check_tensor_count(*language, c.tensors.size()));
  OCELLUS_ASSIGN_OR_RETURN(GgufFile tower, map_gguf(c, pair.tower));
  OCELLUS_RETURN_IF_ERROR(list_tensors(tower, pair.language.size(), c.tower_tensors));
  c.gguf = Checkpoint::GgufPair{*std::move(language), std::move(tower)};
  OCELLUS_RETURN_IF_ERROR(read_gguf_texts(c));
  return c;
}

Status read_gguf_texts(Checkpoint& c) {
  const formats::GgufMetadata& language = c.gguf->language;
  OCELLUS_ASSIGN_OR_RETURN(const std::string architecture,
                           language.text_or("general.architecture", ""));
  if (architecture == "clip") {
    return make_error(ErrorCode::kBadModel,
                      "{}: general.architecture: expected a language model, found \"clip\": a "
                      "tower is given with --mmproj",
                      language.file());
  }
  OCELLUS_ASSIGN_OR_RETURN(c.vocabulary, formats::read_gguf_vocabulary(language));
  if (language.has("tokenizer.chat_template")) {
    OCELLUS_ASSIGN_OR_RETURN(c.chat_template, language.text("tokenizer.chat_template"));
  }
  if (language.has(formats::kGgufGenerationKey)) {
    OCELLUS_ASSIGN_OR_RETURN(const std::string text, language.text(formats::kGgufGenerationKey));
    OCELLUS_ASSIGN_OR_RETURN(c.generation, formats::parse_generation_config(
                                               text, fmt::format("{}: {}", language.file(),
                                                                 formats::kGgufGenerationKey)));
  }
  return {};
}

}  // namespace ocellus::models
