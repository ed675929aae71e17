#include "models/packed_checkpoint.h"

#include <algorithm>
#include <fstream>

#include "base/result.h"
#include "base/sha256.h"
#include "formats/packed_model.h"
#include "models/gguf_checkpoint.h"
#include "models/small_files.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::PackedDirectory;
namespace fs = std::filesystem;

struct OpenModel {
  std::shared_ptr<const base::MappedFile> file;
  PackedDirectory directory;
};

Result<OpenModel> open(const fs::path& path) {
  OCELLUS_ASSIGN_OR_RETURN(base::MappedFile mapped, base::MappedFile::open(path));
  OpenModel model{.file = std::make_shared<const base::MappedFile>(std::move(mapped)),
                  .directory = {}};
  OCELLUS_ASSIGN_OR_RETURN(model.directory,
                           formats::parse_packed_model(model.file->bytes(), path.string()));
  return model;
}

// The text of that name; empty where there is none.
std::string_view text_of(const PackedDirectory& directory, std::string_view name) {
  const auto found = std::ranges::find(directory.texts, name, &formats::PackedText::name);
  return found == directory.texts.end() ? std::string_view() : found->content;
}

Status read_settings(const PackedDirectory& directory, Checkpoint& c) {
  const std::string_view language = text_of(directory, kPackedLanguage),
                         tower = text_of(directory, kPackedTower);
  if (language.empty()) {
    return read_small_files(
        c, [&](std::string_view name, std::size_t max_bytes) -> Result<std::string> {
          const std::string_view text = text_of(directory, name);
          if (text.size() <= max_bytes) return std::string(text);
          return make_error(ErrorCode::kBadModel, "{}: {}: expected at most {} bytes, found {}",
                            c.path.string(), name, max_bytes, text.size());
        });
  }
  const auto parse = [&](std::string_view text, std::string_view name) {
    return formats::GgufMetadata::parse(std::as_bytes(std::span(text)), (c.path / name).string());
  };
  OCELLUS_ASSIGN_OR_RETURN(auto language_metadata, parse(language, kPackedLanguage));
  OCELLUS_ASSIGN_OR_RETURN(auto tower_metadata, parse(tower, kPackedTower));
  c.gguf = Checkpoint::GgufPair{std::move(language_metadata), std::move(tower_metadata)};
  return read_gguf_texts(c);
}

compute::Arithmetic arithmetic(bool reduced) {
  return reduced ? compute::Arithmetic::kReducedPrecision : compute::Arithmetic::kF32;
}

std::span<const std::byte> bytes_of(const base::MappedFile& file,
                                    const formats::PackedMatrix& matrix) {
  return file.bytes().subspan(static_cast<std::size_t>(matrix.offset),
                              static_cast<std::size_t>(matrix.bytes));
}

void add_tensors(const OpenModel& model, Checkpoint& c) {
  for (const formats::PackedVector& vector : model.directory.vectors) {
    c.tensors.emplace(vector.name, StoredTensor{.name = vector.name,
                                                .type = "f32",
                                                .dtype = tensor::DType::kF32,
                                                .shape = vector.shape,
                                                .data = vector.values});
  }
  for (const formats::PackedMatrix& matrix : model.directory.matrices) {
    const auto data = bytes_of(*model.file, matrix);
    const compute::WeightFormat format = {matrix.dtype, arithmetic(matrix.multiplied_as_bf16)};
    c.tensors.emplace(
        matrix.name,
        StoredTensor{.name = matrix.name,
                     .type = std::string(tensor::dtype_name(matrix.dtype)),
                     .dtype = matrix.dtype,
                     .shape = matrix.shape,
                     .data = data,
                     .packed = compute::PackedWeightView{
                         .format = format, .out = matrix.out, .in = matrix.in, .bytes = data}});
  }
}

}  // namespace

bool is_packed_model(const fs::path& path) {
  std::error_code ec;
  if (!fs::is_regular_file(path, ec)) return false;
  std::string magic(formats::kPackedMagic.size(), '\0');
  std::ifstream(path, std::ios::binary).read(magic.data(), std::ssize(magic));
  return magic == formats::kPackedMagic;
}

Result<Checkpoint> load_packed_checkpoint(const fs::path& path) {
  OCELLUS_ASSIGN_OR_RETURN(const OpenModel model, open(path));
  Checkpoint c;
  c.path = path;
  OCELLUS_RETURN_IF_ERROR(read_settings(model.directory, c));
  add_tensors(model, c);
  c.packed = PackedOrigin{.file = model.file,
                          .layout = model.directory.layout,
                          .arithmetic = {.language = arithmetic(model.directory.language_reduced),
                                         .tower = arithmetic(model.directory.tower_reduced)}};
  return c;
}

Status verify_packed_model(const fs::path& path, const Progress& progress, const StopCheck& stop) {
  OCELLUS_ASSIGN_OR_RETURN(const OpenModel model, open(path));
  const auto total = static_cast<double>(model.file->bytes().size());
  for (const formats::PackedMatrix& matrix : model.directory.matrices) {
    if (stop && stop()) return make_error(ErrorCode::kCancelled, "verifying was cancelled");
    const auto data = bytes_of(*model.file, matrix);
    if (base::sha256(data) != matrix.checksum) {
      return make_error(ErrorCode::kBadModel,
                        "{}: {}: its {} bytes at {} are damaged: pack the model again",
                        path.string(), matrix.name, matrix.bytes, matrix.offset);
    }
    model.file->forget(data);
    if (progress) progress(static_cast<double>(matrix.offset + matrix.bytes) / total);
  }
  if (model.file->changed()) {
    return make_error(ErrorCode::kBadModel, "{}: changed while it was being read", path.string());
  }
  if (progress) progress(1.0);
  return {};
}

}  // namespace ocellus::models
