#include "convert/gguf_export.h"

#include <algorithm>

#include "base/result.h"
#include "convert/gguf_export_metadata.h"

namespace ocellus::convert {
namespace {

using base::make_error;
using models::ModelDescription;
using models::Part;
using models::TensorSpec;
using tensor::DType;

void add(GgufExport& out, const TensorSpec& spec, const tensor::TensorView& view, DType weights) {
  const std::int64_t frames = std::max<std::int64_t>(1, spec.gguf_frames);
  tensor::TensorView source = view;
  if (const tensor::Shape& s = spec.shape; spec.gguf_frames > 0)
    source.shape = {s[0], s[1], s[3], s[4]};
  const DType type = exported_type(spec.role, view.dtype, source.shape, weights);
  for (std::int64_t frame = 0; frame < frames; ++frame) {
    const std::string name = models::TensorTable::gguf_frame(spec, frame);
    out.writer.add_tensor(name, type, source.shape);
    out.tensors.push_back({name, source, type, spec.gguf_permuted_heads, frame, frames,
                           spec.gguf_tiles, spec.gguf_values});
  }
}

// Every tensor of the table that is of this file, in the table's order.
Status add_tensors(GgufExport& out, const ModelDescription& model, bool tower, DType weights) {
  for (const TensorSpec& spec : model.tensors().table().specs()) {
    if ((spec.part != Part::kLanguage) != tower) continue;
    if (spec.optional && !model.tensors().has(spec.name)) {
      std::vector<float> values = model.gguf_values(spec);
      if (values.empty()) continue;
      const auto& kept = out.values.emplace_back(std::move(values));
      add(out, spec, {DType::kF32, spec.shape, std::as_bytes(std::span(kept))}, weights);
      continue;
    }
    OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view, model.tensors().view(spec));
    add(out, spec, view, weights);
  }
  return {};
}

void put_general(formats::GgufWriter& writer, std::string_view architecture, std::string_view type,
                 std::string_view name, DType weights) {
  writer.put_text("general.architecture", architecture);
  writer.put_text("general.type", type);
  writer.put_text("general.name", name);
  put_file_type(writer, weights);
}

}  // namespace

Result<GgufExport> export_language(const ModelDescription& model,
                                   const formats::GgufVocabulary& vocabulary, std::string_view name,
                                   DType weights) {
  GgufExport out;
  put_general(out.writer, model.gguf_architecture(), "model", name, weights);
  OCELLUS_RETURN_IF_ERROR(model.put_gguf_language(out.writer));
  OCELLUS_RETURN_IF_ERROR(put_tokens(out.writer, model, vocabulary));
  OCELLUS_RETURN_IF_ERROR(add_tensors(out, model, false, weights));
  return out;
}

Result<GgufExport> export_tower(const ModelDescription& model, std::string_view name,
                                DType weights) {
  GgufExport out;
  put_general(out.writer, "clip", "mmproj", name, weights);
  OCELLUS_RETURN_IF_ERROR(model.put_gguf_tower(out.writer));
  OCELLUS_RETURN_IF_ERROR(add_tensors(out, model, true, weights));
  return out;
}

Result<GgufExport> export_again(const ModelDescription& model, const formats::GgufFile& file,
                                bool tower, DType weights) {
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t parts,
                           file.integer_or("split.count", 1, 0, std::int64_t{1} << 16));
  if (parts > 1) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: split.count: expected one file, found one of {}: join them first",
                      file.file(), parts);
  }
  GgufExport out;
  for (const formats::GgufEntry& entry : file.entries()) {
    if (entry.key != kFileTypeKey && entry.key != kQuantizationKey) out.writer.put(entry);
  }
  put_file_type(out.writer, weights);
  for (const auto& [name, tensor] : file.tensors()) {
    auto view = tensor.view(name);
    if (!view) return base::with_context(std::move(view).error(), file.file());
    const TensorSpec* const spec = model.tensors().table().find_gguf(name, tower);
    const auto role = spec == nullptr ? std::nullopt : std::optional(spec->role);
    out.tensors.push_back({name, *view, exported_type(role, view->dtype, view->shape, weights)});
  }
  std::ranges::sort(out.tensors, {}, [](const ExportTensor& t) { return t.source.data.data(); });
  for (const ExportTensor& t : out.tensors) out.writer.add_tensor(t.name, t.type, t.source.shape);
  return out;
}

}  // namespace ocellus::convert
