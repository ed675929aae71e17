// How weights are to be held, and what that comes to for a checkpoint.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "compute/backend.h"
#include "models/checkpoint.h"
#include "models/model_tensors.h"
#include "ocellus/error.h"
#include "ocellus/options.h"
#include "tensor/dtype.h"

namespace ocellus::models {

// Asked between steps of long work; true: give up with kCancelled.
using StopCheck = std::function<bool()>;
// Told while loading; 0 to 1.
using Progress = std::function<void(double fraction)>;

// What the caller wants of pictures, other than the checkpoint's own settings.
struct PictureOptions {
  Preprocess preprocess = Preprocess::kModel;  // what happens to images that are not square
  // At most so many tiles, or rows, of one picture. As ModelOptions has them.
  std::int64_t max_tiles = 0;
  std::int64_t max_rows = 0;
  std::int64_t min_rows = 0;
};

PictureOptions picture_options(const ModelOptions& options);
// kInvalidArgument for settings that a family whose pictures cannot be made smaller or larger, or
// are not brought to a square, has no use for.
Status check_no_minimum(const PictureOptions& options);
Status check_preprocess_is_models(const PictureOptions& options);

struct LoadOptions {
  // How the language model's matrices are held; nothing: as stored. bf16 that is asked for is
  // multiplied in bf16, bf16 that is only stored in f32.
  std::optional<tensor::DType> weights;
  // The same for tower and projector. Nothing: as stored; but beside a language model of block
  // types 16-bit floats become bf16, multiplied as such, whose rounding is far below that of the
  // blocks.
  std::optional<tensor::DType> tower_weights;
  PictureOptions pictures = {};
  Progress progress;
  StopCheck stop;
};

// How the matrices of a part (language model, or tower and projector) are to be held.
struct WeightChoice {
  std::optional<tensor::DType> dtype;  // nothing: as stored
  // kReducedPrecision: 16-bit floats are held as bf16 and multiplied as such, and so is attention.
  // Block types are always multiplied in their own way.
  compute::Arithmetic arithmetic = compute::Arithmetic::kF32;

  bool is_quantized() const { return dtype && tensor::is_quantized(*dtype); }
};

// How a matrix whose rows have `in` values is held. Block types are for the layers' matrices, those
// of 8 bits for the projector's as well: else the projector becomes bf16, as patches do, and the
// head q8; embeddings that are not the head, and cost no time, stay as they are stored. Rows that
// are not whole blocks of the type become q8, whose last block may be part of one.
compute::WeightFormat storage_type(TensorRole role, tensor::DType stored, std::int64_t in,
                                   const WeightChoice& choice);

// What the options come to for this checkpoint; a packed one was decided when it was packed.
PartArithmetic arithmetic_of(const ModelTensors& tensors, const LoadOptions& options,
                             bool multiplies_bf16);

// Bytes that the weights will take when they are held as `options` says: known before anything is
// loaded.
std::size_t weight_bytes(const ModelTensors& tensors, const LoadOptions& options);

// Whether weights of a packed model fit the options and the backend. kInvalidArgument,
// kUnsupported.
Status check_packed(const Checkpoint& checkpoint, const compute::Backend& backend,
                    const LoadOptions& options);

}  // namespace ocellus::models
