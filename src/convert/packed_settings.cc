#include "convert/packed_settings.h"

#include <algorithm>

#include "base/result.h"
#include "formats/gguf_writer.h"
#include "models/packed_checkpoint.h"
#include "models/settings_files.h"

namespace ocellus::convert {
namespace {

using tensor::DType;
using tensor::Shape;

Result<std::vector<SettingsText>> folder_texts(const models::Checkpoint& checkpoint) {
  std::vector<SettingsText> texts;
  models::Checkpoint again;
  again.folder = checkpoint.folder;
  OCELLUS_RETURN_IF_ERROR(models::read_settings_files(
      again, [&](const char* name, std::size_t max_bytes) -> Result<std::string> {
        OCELLUS_ASSIGN_OR_RETURN(std::string text,
                                 models::read_optional_file(checkpoint.folder / name, max_bytes));
        const bool known = std::ranges::find(texts, name, &SettingsText::name) != texts.end();
        if (!text.empty() && !known) texts.push_back({name, text});
        return text;
      }));
  return texts;
}

Result<SettingsText> gguf_text(const base::MappedFile& mapped, std::string_view name) {
  OCELLUS_ASSIGN_OR_RETURN(const auto file,
                           formats::GgufFile::parse(mapped.bytes(), mapped.path().string()));
  formats::GgufWriter writer;
  std::vector<std::vector<std::byte>> values;
  for (const formats::GgufEntry& entry : file.entries()) writer.put(entry);
  for (const auto& [tensor_name, tensor] : file.tensors()) {
    if (tensor_name == "rope_freqs.weight") {
      OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view, tensor.view(tensor_name));
      writer.add_tensor(tensor_name, view.dtype, view.shape);
      values.emplace_back(view.data.begin(), view.data.end());
      continue;
    }
    const bool rows = tensor_name == "token_embd.weight" && tensor.shape.rank() == 2;
    const Shape shape = rows ? Shape{tensor.shape[0], 1} : Shape{1};
    writer.add_tensor(tensor_name, DType::kF32, shape);
    values.emplace_back(static_cast<std::size_t>(*shape.elements()) * sizeof(float));
  }
  SettingsText text{.name = std::string(name), .content = {}};
  OCELLUS_RETURN_IF_ERROR(writer.write(
      [&](std::span<const std::byte> bytes) -> Status {
        text.content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return {};
      },
      [&](std::size_t i, const formats::GgufWriter::Sink& sink) { return sink(values[i]); }));
  return text;
}

}  // namespace

Result<std::vector<SettingsText>> settings_texts(const models::Checkpoint& checkpoint) {
  if (!checkpoint.vocabulary) return folder_texts(checkpoint);
  OCELLUS_ASSIGN_OR_RETURN(SettingsText language,
                           gguf_text(checkpoint.files[0], models::kPackedLanguage));
  OCELLUS_ASSIGN_OR_RETURN(SettingsText tower,
                           gguf_text(checkpoint.files[1], models::kPackedTower));
  return std::vector{std::move(language), std::move(tower)};
}

}  // namespace ocellus::convert
