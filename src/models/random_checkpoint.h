// Checkpoints of random weights, made in memory: for measuring speed without a model's files.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "models/checkpoint.h"
#include "ocellus/error.h"
#include "tensor/dtype.h"

namespace ocellus::models {

// A checkpoint and the memory behind it. Tensors of one type share one buffer, at places of their
// own in it, so that a model of any size takes little more than its largest matrix; nothing is read
// twice from a place by a step, because loading copies.
struct RandomCheckpoint {
  std::vector<base::AlignedBuffer> buffers;
  Checkpoint checkpoint;
};

// The tensors that a model of this config.json has (RandomModel::config), matrices stored as
// `weights` (the language model's) and `tower_weights` (tower's and projector's): plain floats or
// block types. As in files of block types, the head is q6_k at least, and rows that are not whole
// blocks, the tower's patches and the projector are f16. Norms are near 1 and values small, so that
// activations stay finite through any number of layers. The same bytes for the same arguments on
// every machine. kUnsupported for types of integers; kBadModel, kUnsupported for the configuration;
// kOutOfMemory.
Result<RandomCheckpoint> make_random_checkpoint(std::string config_json, tensor::DType weights,
                                                tensor::DType tower_weights);

}  // namespace ocellus::models
