// The values of a planned GGUF file, slice by slice.
#pragma once

#include <cstddef>
#include <functional>

#include "compute/pool.h"
#include "convert/gguf_export.h"
#include "formats/gguf_writer.h"
#include "models/load_options.h"
#include "ocellus/error.h"

namespace ocellus::convert {

// Writes the file to `out`. Rows are rounded on all of the pool's threads, in order and to the same
// bytes whatever their number; memory is that of one slice (some 16 MiB). `done` is told of each
// tensor that is written. kBadModel for a value that is not finite or that the
// type cannot hold, kCancelled, or what `out` gives.
Status write_export(const GgufExport& file, compute::Pool& pool,
                    const formats::GgufWriter::Sink& out, const models::StopCheck& stop,
                    const std::function<void(const ExportTensor&)>& done);

}  // namespace ocellus::convert
