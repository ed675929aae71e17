// What the engine and the vision worker need of a model, and nothing more. Each family implements
// it in a folder of its own (llava/); parts/ holds what families share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "compute/backend.h"
#include "image/image.h"
#include "models/language_model.h"
#include "models/prepared_image.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct ModelFacts {
  std::string architecture = {};    // for people: "llava: clip 24x1024 + llama 32x4096"
  std::int64_t image_size = 0;      // pixels: the largest side of a tower input
  std::int64_t max_image_rows = 0;  // rows that one picture gives at most
  PixelShape pixel_shape = PixelShape::kPictures;
  std::int32_t image_token = -1;  // the id that stands for an image in the template's text
  std::int64_t bos_token = -1;    // -1: none
  std::vector<std::int64_t> eos_tokens = {};
};

// A run of a prompt: tokens of text, or rows of one picture.
struct Segment {
  std::vector<std::int32_t> tokens = {};              // text; empty for a picture
  std::shared_ptr<const ImageEmbeddings> image = {};  // null for text
  std::shared_ptr<const ImagePlan> plan = {};         // of the picture
  std::int64_t first_row = 0, rows = 0;               // of the embeddings
  // Of a picture: a hash of what its rows follow from (the file's bytes; model and settings are the
  // same for all that one engine runs). Nothing: its rows are not shared with other prompts.
  std::optional<base::Sha256> content = {};

  std::int64_t size() const { return image ? rows : std::ssize(tokens); }
};

// Immutable after loading; any thread. The backend that it was loaded for must outlive it.
class Model {
 public:
  virtual ~Model() = default;

  virtual const ModelFacts& facts() const = 0;
  virtual const LanguageModel& language() const = 0;

  // How a picture is used in a conversation of so many; kAlone where that makes no difference.
  virtual ImageUse image_use(std::size_t images) const;
  // From the size of a picture (upright) to its place in the prompt. kBadImage for a shape that the
  // family refuses.
  virtual Result<ImagePlan> plan_image(image::Size size, ImageUse use) const = 0;
  // Resize, tile, normalise: the reference's pixels. A job of its own; no compute pool. kBadImage,
  // kOutOfMemory.
  virtual Result<PreparedImage> prepare_image(const image::Image& picture, ImageUse use) const = 0;
  virtual std::unique_ptr<ImageEncoder> make_encoder() const = 0;

  // The positions of a prompt's rows, in the order of the segments, and after them that of the
  // first token to be generated. The default counts rows; families with M-RoPE place images in
  // space.
  virtual std::vector<Position> positions(std::span<const Segment> prompt) const;
};

}  // namespace ocellus::models
