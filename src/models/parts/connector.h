// From a tower's features to rows of the language model: a projector, and what a family does with
// the rows of several tower inputs.
#pragma once

#include <cstdint>

#include "compute/backend.h"
#include "models/parts/matrix_buffer.h"
#include "models/prepared_image.h"
#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::models {

// Immutable; any thread with its own scratch.
class Connector {
 public:
  struct Scratch {
    MatrixBuffer first, second;
  };

  virtual ~Connector() = default;

  // Rows that one tower input gives, of the tower's.
  virtual std::int64_t rows_of(std::int64_t feature_rows) const { return feature_rows; }
  // Of one input: features [feature_rows, feature_width] -> rows [rows_of(feature_rows), hidden].
  // kOutOfMemory.
  virtual Status project(const compute::Backend& backend, tensor::ConstMatrix features,
                         Scratch& scratch, compute::Workspace& workspace,
                         tensor::Matrix rows) const = 0;

  // Whether the rows of a picture are other than those of its inputs one after the other. Then
  // join() makes them: projected [inputs * rows_of(), hidden] -> rows [plan.rows(), hidden].
  virtual bool joins() const { return false; }
  virtual Status join(const ImagePlan&, tensor::ConstMatrix, tensor::Matrix) const { return {}; }
};

}  // namespace ocellus::models
