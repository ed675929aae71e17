// From named tensors of a checkpoint to weights of a backend.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compute/backend.h"
#include "models/checkpoint.h"
#include "models/parts/matrix_buffer.h"
#include "ocellus/error.h"

namespace ocellus::models {

// Asked between steps of long work; true: give up with kCancelled.
using StopCheck = std::function<bool()>;
// Told while loading; 0 to 1.
using Progress = std::function<void(double fraction)>;

// A linear layer with its optional bias [out].
struct Linear {
  std::unique_ptr<compute::Weight> weight;
  std::vector<float> bias;

  compute::Epilogue epilogue(compute::Activation activation = compute::Activation::kNone,
                             compute::ConstMatrix residual = {}) const {
    return {bias.empty() ? nullptr : bias.data(), activation, residual};
  }
  compute::LinearCall call(compute::Matrix y) const {
    return {.weight = weight.get(), .epilogue = epilogue(), .y = y};
  }
};

struct Norm {
  std::vector<float> weight, bias;  // bias empty for RMS norms
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
// last layer q8; embeddings, which cost no time, stay as they are stored. Rows that are no whole
// blocks of the type become q8, whose last block may be part of one.
compute::WeightFormat storage_type(std::string_view name, tensor::DType stored, std::int64_t in,
                                   const WeightChoice& choice);

// Takes weights as they are made, in place of a model, so that no more than one is in memory.
class WeightSink {
 public:
  virtual ~WeightSink() = default;
  // `shape` is the stored tensor's. Names are canonical.
  virtual Status matrix(const std::string& name, const tensor::Shape& shape,
                        const compute::Weight& weight) = 0;
  virtual Status vector(const std::string& name, const tensor::Shape& shape,
                        std::span<const float> values) = 0;
};

// Reads one checkpoint into one backend. One thread. `prefix` names the part, e.g.
// "tower.encoder.layers.3.". With a sink, weights go there and what is returned in their place is
// null.
class WeightLoader {
 public:
  WeightLoader(const Checkpoint& checkpoint, const compute::Backend& backend,
               const WeightChoice& choice, StopCheck stop, std::function<void(std::size_t)> loaded,
               WeightSink* sink = nullptr)
      : checkpoint_(checkpoint),
        backend_(backend),
        choice_(choice),
        stop_(std::move(stop)),
        loaded_(std::move(loaded)),
        sink_(sink) {}

  // How attention, which has no weights, is to be computed beside them.
  compute::Arithmetic arithmetic() const { return choice_.arithmetic; }
  const compute::Backend& backend() const { return backend_; }

  Result<Linear> linear(const std::string& name, std::int64_t out, std::int64_t in,
                        bool bias) const;
  // A matrix stored in any shape that has out x in values, e.g. a convolution's kernel.
  Result<std::unique_ptr<compute::Weight>> matrix(const std::string& name,
                                                  const tensor::Shape& stored_shape,
                                                  std::int64_t out, std::int64_t in) const;
  Result<std::vector<float>> vector(const std::string& name, const tensor::Shape& shape) const;
  Result<Norm> norm(const std::string& name, std::int64_t size, bool bias) const;

 private:
  const StoredTensor& stored(const std::string& name) const;  // that is there
  Result<std::unique_ptr<compute::Weight>> make(const std::string& name, tensor::TensorView view,
                                                std::int64_t out, std::int64_t in) const;

  const Checkpoint& checkpoint_;
  const compute::Backend& backend_;
  WeightChoice choice_;
  StopCheck stop_;
  std::function<void(std::size_t)> loaded_;  // bytes of the file that are done
  WeightSink* sink_;
};

}  // namespace ocellus::models
