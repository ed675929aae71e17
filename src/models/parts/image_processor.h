// What CLIP's and SigLIP's image processors do to pixels, and where checkpoints have it.
// Reference: transformers 5, models/{clip,siglip,llava}/image_processing_*.py.
#pragma once

#include <cstdint>
#include <string_view>

#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "image/preprocess.h"
#include "models/checkpoint.h"
#include "models/parts/vit_config.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Our own GGUF key, in the tower's file: "crop", "pad" or "exact", where images that are not square
// are treated otherwise than is usual for the tower.
inline constexpr std::string_view kGgufPictureKey = "ocellus.picture";

// preprocessor_config.json, or the image_processor of processor_config.json, which 5.x writes.
// Without either: CLIP's processor at the tower's size. kBadModel naming file and key.
Result<image::PreprocessSettings> read_image_processor(const Checkpoint& checkpoint,
                                                       const VitConfig& tower);

// Of a GGUF tower: mean and deviation have keys, the rest is as the tower's processor does it.
Result<image::PreprocessSettings> read_image_processor_gguf(const GgufSource& source,
                                                            const VitConfig& tower);

// Every key that read_image_processor_gguf() reads. What no key says is logged: whoever reads the
// file does as the tower's processor does.
void put_image_processor_gguf(formats::GgufWriter& writer,
                              const image::PreprocessSettings& settings, const VitConfig& tower,
                              std::string_view file);

}  // namespace ocellus::models
