#include "vision/trace.h"

#include "base/result.h"
#include "compute/cpu/cpu_backend.h"
#include "vision/loaded_model.h"

namespace ocellus::vision {

Result<Trace> trace(const ModelOptions& model_options, const RegistryOptions& registry,
                    std::span<const std::byte> picture, const std::string& question,
                    const AskOptions& options, const TraceOptions& trace_options) {
  OCELLUS_ASSIGN_OR_RETURN(auto backend, compute::cpu::make_cpu_backend(
                                             {.threads = registry.threads,
                                              .expand_weights = trace_options.expand_weights}));
  ModelOptions held = model_options;
  if (trace_options.expand_weights) held.kv_type = KvType::kF32;
  OCELLUS_ASSIGN_OR_RETURN(const std::unique_ptr<LoadedModel> model,
                           LoadedModel::load(held, std::move(backend), nullptr));
  Trace trace;
  OCELLUS_ASSIGN_OR_RETURN(models::PreparedImage prepared, model->prepare(picture));
  trace.height = prepared.inputs.front().shape[1];
  trace.width = prepared.inputs.front().shape[2];
  OCELLUS_ASSIGN_OR_RETURN(EncodedPicture encoded, model->encode(prepared, nullptr, true));
  trace.pixel_values = std::move(prepared.inputs.front().values);
  trace.tower_features = std::move(encoded.features);
  trace.image_tokens = encoded.embeddings->rows;
  trace.feature_width = encoded.feature_width;
  trace.hidden_size = encoded.embeddings->cols;
  trace.image_embeddings = encoded.embeddings->data;
  OCELLUS_ASSIGN_OR_RETURN(engine::SessionRequest request,
                           model->session(question, options, encoded.embeddings));
  trace.input_ids.assign(request.ids.begin(), request.ids.end());
  request.keep_logits = true;
  request.keep_prompt_logits = trace_options.prompt_logits;
  if (const auto forced = std::ssize(trace_options.forced_tokens); forced > 0) {
    const std::int64_t room = model->info().context_tokens - std::ssize(request.ids);
    if (forced > room) {
      return base::make_error(ErrorCode::kContextFull,
                              "{} forced tokens behind a prompt of {}, the context has {}", forced,
                              request.ids.size(), model->info().context_tokens);
    }
    request.forced_tokens = trace_options.forced_tokens;
    request.max_new_tokens = forced;
  }
  trace.vocabulary = model->info().vocabulary;
  OCELLUS_RETURN_IF_ERROR(model->engine().add(std::move(request)));
  while (!model->engine().idle()) {
    for (const engine::SessionEvent& event : model->engine().step()) {
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
