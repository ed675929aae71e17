// Writes a packed model (formats/packed_model.h).
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "formats/packed_model.h"
#include "models/description.h"
#include "models/load_options.h"
#include "ocellus/error.h"

namespace ocellus::convert {

// Everything but AtomicFile::commit(). No more than one matrix and the vectors are in memory. The
// same bytes for any number of threads. kIo, and the errors of ModelDescription::pack().
Result<formats::PackedDirectory> write_packed_model(const models::ModelDescription& model,
                                                    const compute::Backend& backend,
                                                    const models::LoadOptions& options,
                                                    base::AtomicFile& file);

// About the bytes of the file, a little more rather than less: for asking whether a disk has them.
std::uint64_t packed_bytes_at_most(const models::ModelDescription& model,
                                   const models::LoadOptions& options);

}  // namespace ocellus::convert
