// Models of well-known sizes without their files: random weights in memory, for measuring speed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "formats/model_config.h"
#include "models/checkpoint.h"
#include "ocellus/error.h"

namespace ocellus::models {

// "llava-1.5-7b", "llava-1.5-13b", "tinyllama-1.1b" (TinyLlama's decoder behind LLaVA-1.5's tower).
std::vector<std::string> random_model_names();
// The sizes of one of them; nothing for another name. Sources: the config.json of
// llava-hf/llava-1.5-7b-hf and -13b-hf, TinyLlama/TinyLlama-1.1B-Chat-v1.0.
std::optional<formats::ModelConfig> random_model_config(std::string_view name);

// A checkpoint and the memory behind it. Tensors of one type share one buffer, at places of their
// own in it, so that a model of any size takes little more than its largest matrix; nothing is read
// twice from a place by a step, because loading copies.
struct RandomCheckpoint {
  std::vector<base::AlignedBuffer> buffers;
  Checkpoint checkpoint;
};

// The tensors that a model of this config has, matrices stored as `weights` (the language model's)
// and `tower_weights` (tower's and projector's): plain floats or block types. As in files of block
// types, the last layer is q6_k at least, and rows that are no whole blocks, the tower's patches
// and the projector are f16. Norms are near 1 and values small, so that activations stay finite
// through any number of layers. The same bytes for the same arguments on every machine.
// kUnsupported for types of integers, kInvalidArgument for a config of sizes that are
// not positive or beyond 2^24, kOutOfMemory.
Result<RandomCheckpoint> make_random_checkpoint(const formats::ModelConfig& config,
                                                tensor::DType weights, tensor::DType tower_weights);

}  // namespace ocellus::models
