#include "convert/packed_writer.h"

#include "base/result.h"
#include "convert/packed_settings.h"

namespace ocellus::convert {
namespace {

// Matrices go to the file as they come, vectors wait for the directory.
class PackedWriter final : public models::WeightSink {
 public:
  PackedWriter(const models::Checkpoint& checkpoint, base::AtomicFile& file)
      : checkpoint_(checkpoint), file_(file) {}

  Status begin() { return file_.append(std::vector<std::byte>(formats::kPackedPage)); }

  Status matrix(const std::string& name, const tensor::Shape& shape,
                const compute::Weight& weight) override {
    const compute::PackedWeightView image = weight.packed_view();
    OCELLUS_RETURN_IF_ERROR(fill_page());
    directory_.matrices.push_back(
        {.name = name,
         .shape = shape,
         .dtype = image.format.dtype,
         .multiplied_as_bf16 = image.format.arithmetic == compute::Arithmetic::kReducedPrecision,
         .out = image.out,
         .in = image.in,
         .offset = file_.size(),
         .bytes = image.bytes.size(),
         .checksum = base::sha256(image.bytes)});
    const auto source = checkpoint_.tensors.find(name);
    for (const base::MappedFile& file : checkpoint_.files) file.forget(source->second.data);
    return file_.append(image.bytes);
  }

  Status vector(const std::string& name, const tensor::Shape& shape,
                std::span<const float> values) override {
    const auto bytes = std::as_bytes(values);
    const auto& kept = values_.emplace_back(bytes.begin(), bytes.end());
    directory_.vectors.push_back({.name = name, .shape = shape, .values = kept});
    return {};
  }

  Status end(std::string layout, const models::PartArithmetic& arithmetic,
             const std::vector<SettingsText>& texts) {
    directory_.layout = std::move(layout);
    directory_.language_fast = arithmetic.language == compute::Arithmetic::kReducedPrecision;
    directory_.tower_fast = arithmetic.tower == compute::Arithmetic::kReducedPrecision;
    for (const SettingsText& text : texts) directory_.texts.push_back({text.name, text.content});
    const std::vector<std::byte> bytes = formats::packed_directory_bytes(directory_);
    if (bytes.size() > formats::kMaxPackedDirectory) {
      return base::make_error(
          ErrorCode::kUnsupported, "{}: {} bytes of settings and vectors, expected at most {}",
          checkpoint_.folder.string(), bytes.size(), formats::kMaxPackedDirectory);
    }
    OCELLUS_RETURN_IF_ERROR(fill_page());
    const std::uint64_t offset = file_.size();
    OCELLUS_RETURN_IF_ERROR(file_.append(bytes));
    return file_.write_at(0, formats::packed_header_bytes(offset, bytes));
  }

  // Without what it borrowed.
  formats::PackedDirectory summary() {
    directory_.texts.clear();
    directory_.vectors.clear();
    return std::move(directory_);
  }

 private:
  Status fill_page() {
    const std::uint64_t gap = formats::packed_page_end(file_.size()) - file_.size();
    return file_.append(std::vector<std::byte>(static_cast<std::size_t>(gap)));
  }

  const models::Checkpoint& checkpoint_;
  base::AtomicFile& file_;
  formats::PackedDirectory directory_;
  std::deque<std::vector<std::byte>> values_;  // what directory_.vectors borrow
};

}  // namespace

Result<formats::PackedDirectory> write_packed_model(const models::Checkpoint& checkpoint,
                                                    const compute::Backend& backend,
                                                    const models::LoadOptions& options,
                                                    base::AtomicFile& file) {
  PackedWriter writer(checkpoint, file);
  OCELLUS_RETURN_IF_ERROR(writer.begin());
  OCELLUS_ASSIGN_OR_RETURN(const models::PartArithmetic arithmetic,
                           models::LlavaModel::pack(checkpoint, backend, options, writer));
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<SettingsText> texts, settings_texts(checkpoint));
  OCELLUS_RETURN_IF_ERROR(writer.end(backend.weight_layout(), arithmetic, texts));
  return writer.summary();
}

std::uint64_t packed_bytes_at_most(const models::Checkpoint& checkpoint,
                                   const models::LoadOptions& options) {
  // Panels of 32 outputs and whole pages: little, but for small models.
  const std::uint64_t weights = models::weight_bytes(checkpoint, options);
  return weights + weights / 32 + checkpoint.tensors.size() * formats::kPackedPage +
         checkpoint.tokenizer_json.size() + checkpoint.tokenizer_model.size() + (1u << 20);
}

}  // namespace ocellus::convert
