// What CLIP's and SigLIP's image processors do to pixels, and where checkpoints have it.
// Reference: transformers 5, models/{clip,siglip,llava}/image_processing_*.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "formats/config_reader.h"
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

// The image processor's own settings. Owns the text; readers must not outlive it.
class ImageProcessorFile {
 public:
  // preprocessor_config.json, or the image_processor of processor_config.json, which 5.x writes.
  // kBadModel for one that is not JSON.
  static Result<ImageProcessorFile> open(const Checkpoint& checkpoint);

  // Of nothing where the checkpoint has no such file.
  formats::ConfigReader reader() const;

 private:
  std::optional<formats::ConfigFile> document_;
  std::string file_;
};

// Values from 0 to 255 become 0 to 1, then mean and deviation count.
bool is_usual_scale(const image::PreprocessSettings& settings);

// Each picture as a square of so many pixels.
void set_square(image::PreprocessSettings& settings, std::int64_t side);

// What all image processors have: resampling, scale, mean and deviation; `s` has the defaults.
void read_pixel_settings(formats::ConfigReader& r, image::PreprocessSettings& s);

// Of preprocessor_config.json, or the image_processor of processor_config.json, which 5.x writes.
// Without either: CLIP's processor at the tower's size. kBadModel naming file and key.
Result<image::PreprocessSettings> read_image_processor(const Checkpoint& checkpoint,
                                                       const VitConfig& tower);

// Of a GGUF tower: mean and deviation have keys, the rest is as the tower's processor does it.
Result<image::PreprocessSettings> read_image_processor_gguf(const GgufSource& source,
                                                            const VitConfig& tower);

// Whether values go from 0..255 to 0..1 and then by mean and deviation: what no GGUF key says.
bool is_usual_scale(const image::PreprocessSettings& s);

// The two keys that all towers have.
Status read_mean_and_std_gguf(const formats::GgufMetadata& file, image::PreprocessSettings& s);
void put_mean_and_std_gguf(formats::GgufWriter& writer, const image::PreprocessSettings& s);

// Every key that read_image_processor_gguf() reads. What no key says is logged: whoever reads the
// file does as the tower's processor does.
void put_image_processor_gguf(formats::GgufWriter& writer,
                              const image::PreprocessSettings& settings, const VitConfig& tower,
                              std::string_view file);

}  // namespace ocellus::models
