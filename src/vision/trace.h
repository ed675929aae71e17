// Every stage of one answer as tensors: for anyone who wonders why two engines differ.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "compute/backend.h"
#include "ocellus/model.h"

namespace ocellus::vision {

struct Trace {
  std::int64_t height = 0, width = 0;
  std::vector<float> pixel_values;  // [3, height, width]
  std::int64_t image_tokens = 0, feature_width = 0, hidden_size = 0;
  std::vector<float>
      tower_features;  // [image_tokens, feature_width]: selected, before the projector
  std::vector<float> image_embeddings;  // [image_tokens, hidden_size]
  std::vector<std::int64_t> input_ids;  // the picture's places expanded
  std::int64_t vocabulary = 0;
  std::vector<float> logits;  // [tokens, vocabulary]: the row from which each token was chosen
  std::vector<std::int64_t> tokens;  // with the end token, if it came
  std::vector<float> prompt_logits;  // [input_ids, vocabulary]: every position, where asked for
};

// For measuring what a weight type does (tools/eval_quantised.py).
struct TraceOptions {
  bool prompt_logits = false;
  // Generated instead of what the logits say, one token at a time, and nothing after them.
  std::vector<std::int32_t> forced_tokens;
  bool expand_weights = false;  // CpuOptions; keys and values are f32 then
};

// Loads the model and answers one question on the calling thread, by the steps that the worker
// takes. `picture`: encoded bytes. kContextFull when the prompt and the forced tokens do not fit.
Result<Trace> trace(const ModelOptions& model, const RegistryOptions& registry,
                    std::span<const std::byte> picture, const std::string& question,
                    const AskOptions& options, const TraceOptions& trace_options = {});

}  // namespace ocellus::vision
