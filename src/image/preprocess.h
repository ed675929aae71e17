// A picture to the numbers that a vision tower eats.
//
// Reference: CLIPImageProcessorPil, SiglipImageProcessorPil and LlavaImageProcessorPil of
// transformers 5, whose results are reproduced bit for bit: sizes, crop offsets, Pillow's
// fixed-point resampling, and the floating-point type of every step.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "image/image.h"
#include "image/resize.h"
#include "ocellus/error.h"

namespace ocellus::image {

struct Size {
  int height = 0;
  int width = 0;
  bool operator==(const Size&) const = default;
};

// The fields of preprocessor_config.json that say what happens to pixels. Defaults: LLaVA-1.5.
// Steps happen in the order in which they stand here.
struct PreprocessSettings {
  // LLaVA's original "pad" mode: a square of the longer side, filled with int(mean * 255).
  bool pad_to_square = false;

  bool do_resize = true;
  // Exactly this size, or, where absent, the shorter side becomes `shortest_edge` and the longer
  // int(shortest_edge * long / short); `longest_edge`, where given, caps the longer one.
  std::optional<Size> resize_to;
  int shortest_edge = 336;
  std::optional<int> longest_edge;
  Filter filter = Filter::kBicubic;

  // Black where the picture is smaller than the crop.
  bool do_center_crop = true;
  Size crop = {336, 336};

  bool do_rescale = true;
  double rescale_factor = 1.0 / 255.0;

  bool do_normalize = true;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};

  // Refused beyond: without a crop, a very long picture would otherwise ask for any amount.
  std::int64_t max_output_pixels = std::int64_t{4096} * 4096;
};

struct PixelValues {
  static constexpr int kChannels = 3;
  int height = 0;
  int width = 0;
  std::vector<float> data;  // [3, height, width]: red plane, green plane, blue plane
  Image resized;            // the 8-bit picture after resize and crop, before rescaling
};

// The size after the resize step for a picture of `size`. kInvalidArgument for settings that make
// no sense (an edge below 1).
Result<Size> resized_size(Size size, const PreprocessSettings& settings);

// Computes only the pixels that survive the crop, so that a 16384 x 1 picture costs no more than
// its crop. Errors: kInvalidArgument (settings), kBadImage (output beyond max_output_pixels),
// kOutOfMemory. Any thread.
Result<PixelValues> preprocess(const Image& image, const PreprocessSettings& settings);

// The steps up to the 8-bit picture that a tower sees. Errors and thread rule as above.
Result<Image> resize_and_crop(const Image& image, const PreprocessSettings& settings);

// The last two steps alone: 8-bit RGB to [3, h, w].
Result<PixelValues> rescale_and_normalize(Image image, const PreprocessSettings& settings);

}  // namespace ocellus::image
