// Writes a model again as a GGUF pair, its weights rounded to another type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/load_options.h"
#include "ocellus/error.h"
#include "tensor/dtype.h"

namespace ocellus::convert {

struct QuantizeOptions {
  std::filesystem::path source;  // whatever models::load_checkpoint() takes
  std::filesystem::path mmproj;
  std::filesystem::path target;  // NAME.gguf; the tower goes to mmproj-NAME.gguf beside it
  tensor::DType weights = tensor::DType::kQ8_0;
  tensor::DType tower_weights = tensor::DType::kF16;
  bool replace = false;  // files of these names; never those that are read
  int threads = 0;       // 0: all cores
  models::Progress progress;
  models::StopCheck stop;
};

struct WrittenFile {
  struct Share {
    std::int64_t tensors = 0;
    std::uint64_t bytes = 0;
  };
  std::filesystem::path path;
  std::uint64_t bytes = 0;
  std::map<std::string, Share> types;  // by name: "q4_k"
};

struct QuantizeSummary {
  std::uint64_t source_bytes = 0;  // of the tensors that were read
  WrittenFile language, tower;
  double seconds = 0;
};

// Both files appear whole or not at all, the tower first: who finds the language model finds both.
// The same bytes for any number of threads. kInvalidArgument for a target that exists or is the
// source; kIo for a full disk, before anything is written; kBadModel, kUnsupported, kCancelled.
// Blocks; any thread.
Result<QuantizeSummary> quantize_model(const QuantizeOptions& options);

}  // namespace ocellus::convert
