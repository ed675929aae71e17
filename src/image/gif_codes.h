// Whether a GIF's LZW data is sound; internal to src/image.
#pragma once

#include <cstdint>

#include "ocellus/error.h"

struct GifFileType;

namespace ocellus::image {

// Reads the codes of the current image until they make `pixels` pixels. giflib, decoding, guesses
// its way through codes that were never defined; this tells. kBadImage also when the codes end too
// early. `gif` is positioned after the image descriptor.
Status check_gif_codes(GifFileType* gif, int min_code_size, std::int64_t pixels);

}  // namespace ocellus::image
