#include "vision/trace.h"

#include <cmath>

#include "base/result.h"
#include "compute/cpu/cpu_backend.h"
#include "image/image.h"
#include "runtime/block_on.h"
#include "vision/fetching.h"
#include "vision/image_cache.h"
#include "vision/loaded_model.h"

namespace ocellus::vision {
namespace {

void append_rows(std::vector<float>& to, tensor::ConstMatrix rows) {
  for (std::int64_t row = 0; row < rows.rows; ++row)
    to.insert(to.end(), rows.row(row), rows.row(row) + rows.cols);
}

// From the encoded bytes to the embeddings, every stage noted.
Result<EncodedImage> encode(const models::Model& model, models::ImageEncoder& encoder,
                            std::span<const std::byte> bytes, models::ImageUse use, Trace& trace) {
  OCELLUS_ASSIGN_OR_RETURN(const image::Image picture, image::decode_image(bytes));
  OCELLUS_ASSIGN_OR_RETURN(const models::PreparedImage prepared, model.prepare_image(picture, use));
  OCELLUS_RETURN_IF_ERROR(encoder.begin(prepared));
  while (!encoder.done()) {
    const std::int64_t before = encoder.inputs_done();
    OCELLUS_RETURN_IF_ERROR(encoder.advance());
    if (encoder.inputs_done() == before) continue;
    trace.feature_width = encoder.features().cols;
    append_rows(trace.tower_features, encoder.features());
  }
  for (const models::TowerInput& input : prepared.inputs) {
    trace.pixel_shapes.push_back(input.shape);
    trace.pixel_values.insert(trace.pixel_values.end(), input.values.begin(), input.values.end());
  }
  trace.image_inputs.push_back(std::ssize(prepared.inputs));
  if (trace.pixel_shape == models::PixelShape::kPatches) {
    const auto [height, width] = prepared.plan.inputs.front();
    const auto patches = static_cast<double>(prepared.inputs.front().shape[0]);
    const auto patch = static_cast<std::int64_t>(
        std::lround(std::sqrt(static_cast<double>(height * width) / patches)));
    trace.image_grids.insert(trace.image_grids.end(), {1, height / patch, width / patch});
  }
  trace.image_sizes.insert(trace.image_sizes.end(), {picture.height, picture.width});
  EncodedImage traced{std::make_shared<const models::ImagePlan>(prepared.plan),
                      std::make_shared<const models::ImageEmbeddings>(encoder.take())};
  trace.image_tokens += traced.embeddings->rows;
  trace.hidden_size = traced.embeddings->cols;
  append_rows(trace.image_embeddings, traced.embeddings->matrix());
  return traced;
}

Result<std::vector<EncodedImage>> encode_all(const LoadedModel& model, const FetchPolicy& policy,
                                             const std::vector<Message>& messages, Trace& trace) {
  OCELLUS_ASSIGN_OR_RETURN(runtime::Runtime* const runtime, runtime::try_shared_runtime());
  OCELLUS_ASSIGN_OR_RETURN(const fetch::Fetcher fetcher, make_fetcher(*runtime, policy));
  const auto encoder = model.model()->make_encoder();
  std::vector<EncodedImage> images;
  const std::vector<const Picture*> pictures = images_of(messages);
  const models::ImageUse use = model.model()->image_use(pictures.size());
  for (const Picture* picture : pictures) {
    OCELLUS_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                             runtime::block_on(*runtime, fetcher.async_load(source_of(*picture))));
    OCELLUS_ASSIGN_OR_RETURN(EncodedImage traced,
                             encode(*model.model(), *encoder, bytes, use, trace));
    images.push_back(std::move(traced));
  }
  return images;
}

std::vector<std::int64_t> input_ids(const Prompt& prompt, std::int64_t placeholder) {
  std::vector<std::int64_t> ids;
  for (const models::Segment& segment : prompt.segments) {
    if (segment.image) {
      ids.insert(ids.end(), static_cast<std::size_t>(segment.rows), placeholder);
    } else {
      ids.insert(ids.end(), segment.tokens.begin(), segment.tokens.end());
    }
  }
  return ids;
}

}  // namespace

Result<Trace> trace(const ModelOptions& model_options, const RegistryOptions& registry,
                    const std::vector<Message>& messages, const AskOptions& options,
                    const TraceOptions& trace_options) {
  OCELLUS_RETURN_IF_ERROR(check_messages(messages));
  OCELLUS_ASSIGN_OR_RETURN(auto backend, compute::cpu::make_cpu_backend(
                                             {.threads = registry.threads,
                                              .expand_weights = trace_options.expand_weights}));
  ModelOptions held = model_options;
  if (trace_options.expand_weights) held.kv_type = KvType::kF32;
  OCELLUS_ASSIGN_OR_RETURN(const std::unique_ptr<LoadedModel> model,
                           LoadedModel::load(held, std::move(backend), nullptr));
  Trace trace;
  trace.pixel_shape = model->model()->facts().pixel_shape;
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<EncodedImage> images,
                           encode_all(*model, model_options.fetch, messages, trace));
  std::vector<std::shared_ptr<const models::ImagePlan>> plans;
  for (const EncodedImage& image : images) plans.push_back(image.plan);
  OCELLUS_ASSIGN_OR_RETURN(Prompt prompt,
                           model->prompts().build(messages, plans, options.thinking));
  for (std::size_t i = 0; i < images.size(); ++i)
    prompt.attach(static_cast<int>(i), images[i].embeddings);
  trace.input_ids = input_ids(prompt, model->model()->facts().image_token);
  OCELLUS_ASSIGN_OR_RETURN(engine::SequenceRequest request,
                           model->request(std::move(prompt), options));
  request.keep_logits = true;
  request.keep_prompt_logits = trace_options.prompt_logits;
  if (const auto forced = std::ssize(trace_options.forced_tokens); forced > 0) {
    const std::int64_t room = model->info().context_tokens - std::ssize(trace.input_ids);
    if (forced > room) {
      return base::make_error(ErrorCode::kContextFull,
                              "{} forced tokens after a prompt of {}, the context has {}", forced,
                              trace.input_ids.size(), model->info().context_tokens);
    }
    request.forced_tokens = trace_options.forced_tokens;
    request.max_new_tokens = forced;
  }
  trace.vocabulary = model->info().vocabulary;
  OCELLUS_RETURN_IF_ERROR(model->engine().add(std::move(request)));
  while (!model->engine().idle()) {
    for (const engine::SequenceEvent& event : model->engine().step()) {
      if (event.error) return std::unexpected(*event.error);
      trace.prompt_logits.insert(trace.prompt_logits.end(), event.prompt_logits.begin(),
                                 event.prompt_logits.end());
      if (!event.token) continue;
      trace.tokens.push_back(*event.token);
      trace.logits.insert(trace.logits.end(), event.logits.begin(), event.logits.end());
    }
  }
  return trace;
}

}  // namespace ocellus::vision
