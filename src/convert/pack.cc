#include "convert/pack.h"

#include <chrono>

#include "base/atomic_file.h"
#include "base/result.h"
#include "compute/cpu/cpu_backend.h"
#include "convert/packed_writer.h"
#include "convert/target_file.h"
#include "models/families.h"
#include "models/tokenizer.h"

namespace ocellus::convert {

Result<PackSummary> pack_model(const PackOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  OCELLUS_ASSIGN_OR_RETURN(const models::Checkpoint checkpoint,
                           models::load_checkpoint(options.source, options.mmproj));
  OCELLUS_RETURN_IF_ERROR(check_target_file(options.target, checkpoint, options.replace));
  // A model that nobody could ask is not worth minutes.
  OCELLUS_ASSIGN_OR_RETURN(const auto model, models::describe_model(checkpoint));
  OCELLUS_RETURN_IF_ERROR(models::make_tokenizer(checkpoint, model->tokens().image));
  OCELLUS_RETURN_IF_ERROR(
      base::check_free_space(options.target, packed_bytes_at_most(*model, options.load)));
  OCELLUS_ASSIGN_OR_RETURN(const auto backend,
                           compute::cpu::make_cpu_backend({.threads = options.threads}));
  OCELLUS_ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::create(options.target));
  OCELLUS_ASSIGN_OR_RETURN(const formats::PackedDirectory written,
                           write_packed_model(*model, *backend, options.load, file));
  PackSummary summary{.bytes = file.size(), .types = {}, .layout = written.layout, .seconds = 0};
  OCELLUS_RETURN_IF_ERROR(file.commit());
  for (const formats::PackedMatrix& matrix : written.matrices) {
    PackSummary::Share& share = summary.types[std::string(tensor::dtype_name(matrix.dtype))];
    ++share.matrices;
    share.bytes += matrix.bytes;
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  summary.seconds = taken.count();
  return summary;
}

}  // namespace ocellus::convert
