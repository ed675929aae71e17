// Every stage of one answer as tensors: for anyone who wonders why two engines differ.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/prepared_image.h"
#include "ocellus/model.h"

namespace ocellus::vision {

struct Trace {
  // What the tower took, all images one after the other, and the shape of each input as the
  // reference's processor gives it: [3, height, width].
  std::vector<float> pixel_values;
  std::vector<std::vector<std::int64_t>> pixel_shapes;
  models::PixelShape pixel_shape = models::PixelShape::kPictures;
  std::vector<std::int64_t> image_inputs;  // tower inputs of each image
  std::vector<std::int64_t> image_sizes;   // [images, 2]: height and width, upright
  // Of models that take patches, [images, 3]: frames, rows and columns of them.
  std::vector<std::int64_t> image_grids;
  std::int64_t image_tokens = 0;  // rows of all images
  std::int64_t feature_width = 0, hidden_size = 0;
  std::vector<float> tower_features;    // [any, feature_width]: before the projector, all inputs
  std::vector<float> image_embeddings;  // [image_tokens, hidden_size], in the order of the prompt
  std::vector<std::int64_t> input_ids;  // image placeholders expanded
  std::int64_t vocabulary = 0;
  std::vector<float> logits;  // [tokens, vocabulary]: the row from which each token was chosen
  std::vector<std::int64_t> tokens;  // with the end token, if it came
  std::vector<float> prompt_logits;  // [input_ids, vocabulary]: every position, where asked for
};

// For measuring what a weight type does (tools/eval_quantised.py).
struct TraceOptions {
  bool prompt_logits = false;
  // Generated instead of what the logits say, one token at a time, and nothing after them.
  std::vector<std::int32_t> forced_tokens = {};
  bool expand_weights = false;  // CpuOptions; keys and values are f32 then
};

// Loads the model and answers one conversation on the calling thread, by the steps that the worker
// takes. kContextFull when the prompt and the forced tokens do not fit; errors of loading, of the
// images and of the conversation.
Result<Trace> trace(const ModelOptions& model, const RegistryOptions& registry,
                    const std::vector<Message>& messages, const AskOptions& options,
                    const TraceOptions& trace_options = {});

}  // namespace ocellus::vision
