// How a family makes inputs of its tower of a picture: arithmetic and pixels, no weights.
#pragma once

#include <cstdint>
#include <vector>

#include "image/preprocess.h"
#include "models/description.h"
#include "models/prepared_image.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Immutable; any thread.
class Tiling {
 public:
  virtual ~Tiling() = default;

  // Rows that one picture gives at most.
  virtual std::int64_t max_rows() const = 0;
  virtual PixelShape pixel_shape() const { return PixelShape::kPictures; }
  // Of each picture, in a conversation of so many.
  virtual ImageUse use(std::size_t) const { return ImageUse::kAlone; }
  // `size`: of the upright picture. kBadImage for a shape that the family refuses.
  virtual Result<ImagePlan> plan(image::Size size, ImageUse use) const = 0;
  // The same for people, of a picture that is alone.
  virtual Result<ImageFacts> facts(image::Size size) const = 0;
  // What the tower takes of an upright picture, in 8 bits, in the order of the plan's inputs.
  // kBadImage, kOutOfMemory.
  virtual Result<std::vector<image::Image>> cut(const image::Image& picture,
                                                ImageUse use) const = 0;
  // How 8 bits become the tower's values.
  virtual const image::PreprocessSettings& settings() const = 0;
};

// The square of `side` pixels whose upper left corner is there.
image::Image tile_at(const image::Image& picture, int top, int left, int side);

// Whether each input becomes a square of `side` pixels. kBadModel.
Status check_square(const image::PreprocessSettings& settings, std::int64_t side);

}  // namespace ocellus::models
