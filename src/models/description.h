// What a checkpoint says of its model, as its family reads it: nothing of its weights is loaded.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compute/backend.h"
#include "formats/gguf_writer.h"
#include "image/preprocess.h"
#include "models/family.h"
#include "models/load_options.h"
#include "models/model_tensors.h"
#include "models/parts/decoder_config.h"
#include "models/parts/weight_loader.h"
#include "ocellus/error.h"

namespace ocellus::models {

// For people and for estimates.
struct ModelSummary {
  struct Tower {
    std::string name;  // "clip"
    std::int64_t layers = 0, hidden_size = 0, heads = 0, patch_size = 0;
    std::int64_t image_size = 0;  // pixels: the largest side of a tower input
  };
  struct Language {
    std::string name;  // "mistral"
    std::int64_t layers = 0, hidden_size = 0, intermediate_size = 0;
    std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
    std::int64_t vocab_size = 0, max_position = 0;
    std::int64_t kv_layers = 0;    // those that have keys and values
    std::int64_t state_bytes = 0;  // of a sequence, in the other layers

    // Keys and values of one token in all layers.
    std::int64_t kv_values() const { return 2 * kv_layers * kv_heads * head_dim; }
  };

  std::string family;  // "llava"
  Tower tower;
  Language language;
  std::int64_t image_rows = 0;  // rows that one image gives at most
  std::int64_t usual_rows = 0;  // the same within the usual bound, where it acts; else 0
  bool several_rows = false;    // how many depends on the image

  std::string architecture() const;  // "llava: clip 24x1024 + llama 32x4096"
};

// The ids that the configuration names.
struct ModelTokens {
  std::int64_t image = -1;        // stands for an image in the template's text
  std::int64_t pad = -1;          // -1: none
  std::int64_t bos = -1;          // likewise
  std::vector<std::int64_t> eos;  // any of them ends an answer
};

// What becomes of an image of some size.
struct ImageFacts {
  // "crop", "pad" or "exact": how one that is not square is seen whole; "tiles": squashed, and in
  // tiles.
  std::string_view fit = {};
  image::Size resized = {};
  image::Size seen = {};  // by the tower, at once
  // Of a picture that is cut: how many tiles down and across (0: none), and what was cut, without
  // borders.
  image::Size tiles = {};
  image::Size enlarged = {};
  std::int64_t whole_rows = 0;      // tokens of the whole picture, beside those of its tiles
  std::int64_t rows = 0;            // tokens of the prompt, all of them
  std::int64_t unbounded_rows = 0;  // ImagePlan
};

// Immutable; any thread. The checkpoint must outlive it, where it is.
class ModelDescription {
 public:
  virtual ~ModelDescription() = default;

  virtual const ModelSummary& summary() const = 0;
  virtual const ModelTokens& tokens() const = 0;
  virtual const ModelTensors& tensors() const = 0;

  // For people: what the checkpoint leaves out and was taken from what is published.
  virtual std::span<const std::string> assumed() const { return {}; }

  // `size`: of the upright image. kBadModel when the image processor's settings do not give what
  // the tower takes.
  virtual Result<ImageFacts> image_facts(image::Size size, const PictureOptions& options) const = 0;

  // What the tower takes of an upright picture, in 8 bits, before values are rescaled: for people.
  // kBadModel as above; kBadImage, kOutOfMemory.
  virtual Result<std::vector<image::Image>> tower_inputs(const image::Image& picture,
                                                         const PictureOptions& options) const = 0;

  // kBadModel, kUnsupported, kOutOfMemory, kCancelled. The backend must outlive the model; the
  // checkpoint need not. Of a packed model, whose weights are held as they were packed, nothing but
  // the vectors is read; kInvalidArgument where another type is asked for.
  virtual Result<std::unique_ptr<Model>> load(const compute::Backend& backend,
                                              const LoadOptions& options) const = 0;
  // Makes every weight that load() would make and gives it to the sink. Returns how attention is
  // computed. kInvalidArgument for a model that is packed already, and what load() gives.
  virtual Result<PartArithmetic> pack(const compute::Backend& backend, const LoadOptions& options,
                                      WeightSink& sink) const = 0;

  // For the two files of a GGUF pair: the architecture, and the keys by which this family's reader
  // knows the model again. kUnsupported for what has no key.
  virtual std::string_view gguf_architecture() const = 0;
  virtual Status put_gguf_language(formats::GgufWriter& writer) const = 0;
  virtual Status put_gguf_tower(formats::GgufWriter& writer) const = 0;
  // The values of a tensor of the table that GGUF files have and other checkpoints say in their
  // settings; empty for every other.
  virtual std::vector<float> gguf_values(const TensorSpec& spec) const = 0;
};

}  // namespace ocellus::models
