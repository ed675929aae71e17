// A photo to decode, without a file.
#pragma once

#include <cstddef>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::benchmark {

// A baseline JPEG of quality 90 with smooth areas, edges and noise, so that it costs what a
// camera's picture costs. The same bytes for the same sizes. kOutOfMemory.
Result<std::vector<std::byte>> make_photo(int width, int height);

}  // namespace ocellus::benchmark
