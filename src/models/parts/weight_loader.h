// From the tensors of a checkpoint to weights of a backend.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compute/backend.h"
#include "models/load_options.h"
#include "models/model_tensors.h"
#include "models/parts/matrix_buffer.h"
#include "ocellus/error.h"

namespace ocellus::models {

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

// Takes weights as they are made, in place of a model, so that no more than one is in memory.
class WeightSink {
 public:
  virtual ~WeightSink() = default;
  virtual Status matrix(const StoredTensor& source, const compute::Weight& weight) = 0;
  // In the order of the reference's rows, whatever the source's is.
  virtual Status vector(const StoredTensor& source, std::span<const float> values) = 0;
};

// Makes a backend's weights of a checkpoint's tensors. Names are the table's, which says their
// shapes; kInternal for a name that it lacks. One thread. With a sink, weights go there and what is
// returned in their place is null.
class WeightLoader {
 public:
  WeightLoader(const ModelTensors& tensors, const compute::Backend& backend,
               const WeightChoice& choice, StopCheck stop, std::function<void(std::size_t)> loaded,
               WeightSink* sink = nullptr)
      : tensors_(tensors),
        backend_(backend),
        choice_(choice),
        stop_(std::move(stop)),
        loaded_(std::move(loaded)),
        sink_(sink) {}

  const compute::Backend& backend() const { return backend_; }
  // How attention, which has no weights, is to be computed beside them.
  compute::Arithmetic arithmetic() const { return choice_.arithmetic; }

  // Whether weights go to a sink.
  bool packs() const { return sink_ != nullptr; }
  bool has(std::string_view name) const { return tensors_.has(name); }
  // name.weight [out, in] and, where the table has one, name.bias [out].
  Result<Linear> linear(const std::string& name) const;
  // A matrix of shape[0] outputs: a convolution's kernel becomes [out, channels * height * width].
  Result<std::unique_ptr<compute::Weight>> matrix(const std::string& name) const;
  Result<std::vector<float>> vector(const std::string& name) const;
  // name.weight and, where the table has one, name.bias.
  Result<Norm> norm(const std::string& name) const;

 private:
  Result<const TensorSpec*> spec(const std::string& name) const;
  // Heads whose rows are put into another order, 0 where none are; and whether they have gates.
  std::pair<std::int64_t, bool> ordered_heads(const TensorSpec& spec) const;
  Result<std::unique_ptr<compute::Weight>> make(const TensorSpec& spec,
                                                tensor::TensorView view) const;

  const ModelTensors& tensors_;
  const compute::Backend& backend_;
  WeightChoice choice_;
  StopCheck stop_;
  std::function<void(std::size_t)> loaded_;  // bytes of the file that are done
  WeightSink* sink_;
};

}  // namespace ocellus::models
