#include "convert/packed_writer.h"

#include "base/result.h"
#include "models/packed_checkpoint.h"

namespace ocellus::convert {
namespace {

// Matrices go to the file as they come, vectors wait for the directory.
class PackedWriter final : public models::WeightSink {
 public:
  PackedWriter(const models::Checkpoint& checkpoint, base::AtomicFile& file)
      : checkpoint_(checkpoint), file_(file) {}

  Status begin() { return file_.append(std::vector<std::byte>(formats::kPackedPage)); }

  Status matrix(const models::StoredTensor& source, const compute::Weight& weight) override {
    const compute::PackedWeightView view = weight.packed_view();
    OCELLUS_RETURN_IF_ERROR(fill_page());
    directory_.matrices.push_back(
        {.name = source.name,
         .shape = source.shape,
         .dtype = view.format.dtype,
         .multiplied_as_bf16 = view.format.arithmetic == compute::Arithmetic::kReducedPrecision,
         .out = view.out,
         .in = view.in,
         .offset = file_.size(),
         .bytes = view.bytes.size(),
         .checksum = base::sha256(view.bytes)});
    for (const base::MappedFile& file : checkpoint_.files) file.forget(source.data);
    return file_.append(view.bytes);
  }

  Status vector(const models::StoredTensor& source, std::span<const float> values) override {
    const auto bytes = std::as_bytes(values);
    const auto& kept = values_.emplace_back(bytes.begin(), bytes.end());
    directory_.vectors.push_back({.name = source.name, .shape = source.shape, .values = kept});
    return {};
  }

  Status end(std::string layout, const models::PartArithmetic& arithmetic) {
    directory_.layout = std::move(layout);
    directory_.language_reduced = arithmetic.language == compute::Arithmetic::kReducedPrecision;
    directory_.tower_reduced = arithmetic.tower == compute::Arithmetic::kReducedPrecision;
    for (const auto& [name, text] : checkpoint_.texts) directory_.texts.push_back({name, text});
    if (checkpoint_.gguf) {
      add_metadata(models::kPackedLanguage, checkpoint_.gguf->language);
      add_metadata(models::kPackedTower, checkpoint_.gguf->tower);
    }
    const std::vector<std::byte> bytes = formats::packed_directory_bytes(directory_);
    if (bytes.size() > formats::kMaxPackedDirectory) {
      return base::make_error(
          ErrorCode::kUnsupported, "{}: settings and vectors: expected at most {} bytes, found {}",
          checkpoint_.path.string(), formats::kMaxPackedDirectory, bytes.size());
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
  void add_metadata(std::string_view name, const formats::GgufMetadata& file) {
    const auto bytes = file.section();
    directory_.texts.push_back(
        {std::string(name), {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
  }

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

Result<formats::PackedDirectory> write_packed_model(const models::ModelDescription& model,
                                                    const compute::Backend& backend,
                                                    const models::LoadOptions& options,
                                                    base::AtomicFile& file) {
  PackedWriter writer(model.tensors().checkpoint(), file);
  OCELLUS_RETURN_IF_ERROR(writer.begin());
  OCELLUS_ASSIGN_OR_RETURN(const models::PartArithmetic arithmetic,
                           model.pack(backend, options, writer));
  OCELLUS_RETURN_IF_ERROR(writer.end(backend.weight_layout(), arithmetic));
  return writer.summary();
}

std::uint64_t packed_bytes_at_most(const models::ModelDescription& model,
                                   const models::LoadOptions& options) {
  // Panels of 32 outputs and whole pages: little, but for small models.
  const models::ModelTensors& tensors = model.tensors();
  const models::Checkpoint& checkpoint = tensors.checkpoint();
  const std::uint64_t weights = models::weight_bytes(tensors, options);
  std::uint64_t settings = std::uint64_t{1} << 20;
  for (const auto& [name, text] : checkpoint.texts) settings += text.size();
  if (checkpoint.gguf) settings += checkpoint.gguf->language.section().size();
  return weights + weights / 32 + tensors.table().specs().size() * formats::kPackedPage + settings;
}

}  // namespace ocellus::convert
