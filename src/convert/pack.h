// Packs a model: ocellus pack.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "models/load_options.h"
#include "ocellus/error.h"

namespace ocellus::convert {

struct PackOptions {
  std::filesystem::path source;  // whatever models::load_checkpoint() takes, but not packed
  std::filesystem::path mmproj;
  std::filesystem::path target;
  models::LoadOptions load;  // types, progress, stop
  bool replace = false;      // a file of this name; never one that is read
  int threads = 0;           // 0: all cores
};

struct PackSummary {
  struct Share {
    std::int64_t matrices = 0;
    std::uint64_t bytes = 0;
  };
  std::uint64_t bytes = 0;             // of the file
  std::map<std::string, Share> types;  // by name: "q4_k"
  std::string layout;                  // compute::Backend::weight_layout()
  double seconds = 0;
};

// The file appears whole or not at all. kInvalidArgument for a target that exists or is the source,
// or a source that is packed; kIo for a full disk; kBadModel, kUnsupported, kCancelled. Blocks; any
// thread.
Result<PackSummary> pack_model(const PackOptions& options);

}  // namespace ocellus::convert
