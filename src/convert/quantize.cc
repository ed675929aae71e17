#include "convert/quantize.h"

#include <algorithm>
#include <chrono>

#include "base/atomic_file.h"
#include "base/result.h"
#include "compute/pool.h"
#include "convert/gguf_convert.h"
#include "convert/gguf_export.h"
#include "convert/gguf_vocabulary.h"
#include "convert/target_file.h"
#include "formats/gguf.h"
#include "models/families.h"

namespace ocellus::convert {
namespace {

using base::make_error;
namespace fs = std::filesystem;

fs::path tower_path(const fs::path& target) {
  return target.parent_path() / ("mmproj-" + target.filename().string());
}

// What the model is called: its folder or file.
std::string name_of(const models::Checkpoint& c) {
  std::error_code ec;
  const fs::path path = fs::weakly_canonical(c.path, ec);
  return (path.empty() ? c.path : path).filename().string();
}

struct Plan {
  GgufExport language, tower;
};

Result<Plan> make_plan(const models::ModelDescription& model, const QuantizeOptions& options) {
  const models::Checkpoint& c = model.tensors().checkpoint();
  Plan plan;
  if (!c.vocabulary) {
    OCELLUS_ASSIGN_OR_RETURN(const formats::GgufVocabulary vocabulary, make_gguf_vocabulary(model));
    const std::string name = name_of(c);
    OCELLUS_ASSIGN_OR_RETURN(plan.language,
                             export_language(model, vocabulary, name, options.weights));
    OCELLUS_ASSIGN_OR_RETURN(plan.tower, export_tower(model, name, options.tower_weights));
    return plan;
  }
  const auto parse = [&](std::size_t number) {
    return formats::GgufFile::parse(c.files[number].bytes(), c.files[number].path().string());
  };
  OCELLUS_ASSIGN_OR_RETURN(const formats::GgufFile language, parse(0));
  OCELLUS_ASSIGN_OR_RETURN(const formats::GgufFile tower, parse(1));
  OCELLUS_ASSIGN_OR_RETURN(plan.language, export_again(model, language, false, options.weights));
  OCELLUS_ASSIGN_OR_RETURN(plan.tower, export_again(model, tower, true, options.tower_weights));
  return plan;
}

std::uint64_t source_bytes(const GgufExport& file) {
  std::uint64_t bytes = 0;
  for (const ExportTensor& t : file.tensors) bytes += t.source.data.size();
  return bytes;
}

WrittenFile describe(const GgufExport& file, fs::path path) {
  WrittenFile written{.path = std::move(path), .bytes = file.writer.file_bytes(), .types = {}};
  for (const ExportTensor& t : file.tensors) {
    WrittenFile::Share& share = written.types[std::string(tensor::dtype_name(t.type))];
    ++share.tensors;
    share.bytes += static_cast<std::uint64_t>(t.source.shape.elements().value_or(0)) /
                   tensor::block_values(t.type) * tensor::block_bytes(t.type);
  }
  return written;
}

}  // namespace

Result<QuantizeSummary> quantize_model(const QuantizeOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  if (options.target.extension() != ".gguf") {
    return make_error(ErrorCode::kInvalidArgument, "{}: expected a name that ends in .gguf",
                      options.target.string());
  }
  OCELLUS_ASSIGN_OR_RETURN(const models::Checkpoint checkpoint,
                           models::load_checkpoint(options.source, options.mmproj));
  if (checkpoint.packed) {
    return make_error(ErrorCode::kInvalidArgument,
                      "{}: is packed: expected what it was packed from", options.source.string());
  }
  const fs::path tower_target = tower_path(options.target);
  for (const fs::path& target : {options.target, tower_target})
    OCELLUS_RETURN_IF_ERROR(check_target_file(target, checkpoint, options.replace));
  OCELLUS_ASSIGN_OR_RETURN(const auto model, models::describe_model(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(const Plan plan, make_plan(*model, options));

  QuantizeSummary summary;
  summary.language = describe(plan.language, options.target);
  summary.tower = describe(plan.tower, tower_target);
  summary.source_bytes = source_bytes(plan.language) + source_bytes(plan.tower);
  OCELLUS_RETURN_IF_ERROR(
      base::check_free_space(options.target, summary.language.bytes + summary.tower.bytes));
  OCELLUS_ASSIGN_OR_RETURN(const auto pool, compute::make_pool(std::max(0, options.threads)));
  std::uint64_t read = 0;
  const auto done = [&](const ExportTensor& t) {
    for (const base::MappedFile& file : checkpoint.files) file.forget(t.source.data);
    read += t.source.data.size();
    if (options.progress) {
      options.progress(static_cast<double>(read) /
                       static_cast<double>(std::max<std::uint64_t>(1, summary.source_bytes)));
    }
  };
  const auto write = [&](const GgufExport& file, base::AtomicFile& to) {
    return write_export(
        file, *pool, [&](std::span<const std::byte> bytes) { return to.append(bytes); },
        options.stop, done);
  };
  OCELLUS_ASSIGN_OR_RETURN(base::AtomicFile tower, base::AtomicFile::create(tower_target));
  OCELLUS_RETURN_IF_ERROR(write(plan.tower, tower));
  OCELLUS_ASSIGN_OR_RETURN(base::AtomicFile language, base::AtomicFile::create(options.target));
  OCELLUS_RETURN_IF_ERROR(write(plan.language, language));
  OCELLUS_RETURN_IF_ERROR(checkpoint.unchanged());
  OCELLUS_RETURN_IF_ERROR(tower.commit());
  OCELLUS_RETURN_IF_ERROR(language.commit());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  summary.seconds = taken.count();
  return summary;
}

}  // namespace ocellus::convert
