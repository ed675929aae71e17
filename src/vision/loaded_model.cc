#include "vision/loaded_model.h"

#include <algorithm>

#include "base/result.h"
#include "models/checkpoint.h"
#include "models/families.h"
#include "models/tokenizer.h"
#include "tensor/weight_types.h"
#include "vision/generation_settings.h"

namespace ocellus::vision {
namespace {

using base::make_error;

constexpr std::int64_t kDefaultContext = 4096;
constexpr float kDefaultTemperature = 0.2f;         // LLaVA-1.5's published value
constexpr std::int64_t kDefaultMaxNewTokens = 512;  // likewise
constexpr std::size_t kMaxStops = 16;
constexpr int kMaxTopLogprobs = 20;

std::optional<tensor::DType> dtype_of(KvType type) {
  switch (type) {
    case KvType::kAuto:
      return std::nullopt;
    case KvType::kF32:
      return tensor::DType::kF32;
    case KvType::kF16:
      return tensor::DType::kF16;
    case KvType::kQ8:
      return tensor::DType::kQ8_0;
  }
  return std::nullopt;
}

Result<text::PromptTemplate> make_template(const models::Checkpoint& c,
                                           const ModelOptions& options) {
  if (!options.prompt_template.empty()) return text::PromptTemplate::named(options.prompt_template);
  if (c.chat_template)
    return text::PromptTemplate::parse(*c.chat_template, c.path.string() + ": chat template");
  return text::PromptTemplate::named("llava-1.5");
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(
    const ModelOptions& options, std::shared_ptr<const compute::Backend> backend,
    const StopCheck& stop) {
  std::unique_ptr<LoadedModel> loaded(new LoadedModel);
  OCELLUS_ASSIGN_OR_RETURN(const models::Checkpoint checkpoint,
                           models::load_checkpoint(options.path, options.mmproj));
  if (checkpoint.packed) loaded->file_ = checkpoint.packed->file;
  OCELLUS_ASSIGN_OR_RETURN(const auto description, models::describe_model(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(loaded->tokenizer_,
                           models::make_tokenizer(checkpoint, description->tokens().image));
  OCELLUS_RETURN_IF_ERROR(loaded->read_settings(*description, options));
  OCELLUS_RETURN_IF_ERROR(loaded->make_prompts(*description, options));
  models::LoadOptions load_options{tensor::dtype_of(options.weights),
                                   tensor::dtype_of(options.tower_weights),
                                   models::picture_options(options), nullptr, stop};
  if (options.progress) {
    load_options.progress = [&options](double fraction) {
      options.progress(fraction, "loading weights");
    };
  }
  struct Owned {
    std::shared_ptr<const compute::Backend> backend;
    std::unique_ptr<const models::Model> model;
  };
  auto owned = std::make_shared<Owned>(std::move(backend));
  OCELLUS_ASSIGN_OR_RETURN(owned->model, description->load(*owned->backend, load_options));
  loaded->info_.device = owned->backend->describe();
  loaded->model_ = {owned, owned->model.get()};
  engine::EngineOptions engine_options;
  engine_options.context_tokens = loaded->info_.context_tokens;
  engine_options.max_sequences = std::max<std::size_t>(1, options.max_sequences);
  engine_options.kv_cache = options.kv_cache;
  engine_options.prefix_cache_bytes = options.prefix_cache_bytes;
  engine_options.speculation = options.speculation;
  engine_options.kv_type = dtype_of(options.kv_type);
  engine_options.slice = options.slice;
  OCELLUS_ASSIGN_OR_RETURN(loaded->engine_,
                           engine::Engine::create(*loaded->model_, engine_options));
  const models::ModelFacts& facts = loaded->model_->facts();
  loaded->info_.architecture = facts.architecture;
  loaded->info_.image_size = facts.image_size;
  loaded->info_.image_tokens = facts.max_image_rows;
  loaded->info_.weight_bytes =
      static_cast<std::int64_t>(models::weight_bytes(description->tensors(), load_options));
  return loaded;
}

Status LoadedModel::intact() const {
  if (!file_ || !file_->lost()) return {};
  return make_error(ErrorCode::kBadModel,
                    "{}: was cut short, or can no longer be read, while the model was in use",
                    file_->path().string());
}

Status LoadedModel::read_settings(const models::ModelDescription& description,
                                  const ModelOptions& options) {
  const models::ModelSummary::Language& language = description.summary().language;
  const formats::GenerationConfig& generation = description.tensors().checkpoint().generation;
  for (const std::int64_t id :
       generation.eos_tokens.empty() ? description.tokens().eos : generation.eos_tokens) {
    end_tokens_.push_back(static_cast<std::int32_t>(id));
  }
  if (!generation.unsupported.empty() && !options.sample_instead) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: generation_config.json: {}: answers are generated token by token only; "
                      "--sample-instead (ModelOptions::sample_instead) accepts those",
                      options.path.string(), generation.unsupported);
  }
  auto sampling = sampling_options(generation, end_tokens_, language.vocab_size);
  if (!sampling) {
    return make_error(ErrorCode::kBadModel, "{}: generation_config.json: {}", options.path.string(),
                      sampling.error().message);
  }
  sampling_ = *std::move(sampling);
  samples_ = generation.do_sample;
  // A file that samples says how; one that says nothing of it means greedy to transformers, but
  // LLaVA was published with 0.2.
  sampling_.temperature = options.temperature.value_or(
      generation.do_sample ? static_cast<float>(generation.temperature) : kDefaultTemperature);
  max_new_tokens_ = options.max_new_tokens.value_or(
      generation.max_new_tokens > 0 ? generation.max_new_tokens : kDefaultMaxNewTokens);
  const std::int64_t longest = language.max_position;
  if (options.context_tokens > longest) {
    return make_error(ErrorCode::kInvalidArgument,
                      "context: expected at most the model's {} tokens, found {}", longest,
                      options.context_tokens);
  }
  info_.context_tokens =
      options.context_tokens > 0 ? options.context_tokens : std::min(longest, kDefaultContext);
  info_.vocabulary = language.vocab_size;
  info_.parameters = description.tensors().parameters();
  info_.temperature = sampling_.temperature;
  info_.max_new_tokens = max_new_tokens_;
  return {};
}

Status LoadedModel::make_prompts(const models::ModelDescription& description,
                                 const ModelOptions& options) {
  const models::Checkpoint& checkpoint = description.tensors().checkpoint();
  const models::ModelTokens& tokens = description.tokens();
  OCELLUS_ASSIGN_OR_RETURN(text::PromptTemplate chat_template, make_template(checkpoint, options));
  template_ = std::make_unique<const text::PromptTemplate>(std::move(chat_template));
  const auto piece = [&](std::int64_t id) {
    return std::string(tokenizer_->token_text(static_cast<std::int32_t>(id)));
  };
  text::SpecialTokens specials;
  // The tokenizer's own start token counts where it has one: configs often leave it to a default.
  specials.bos = tokenizer_->prefix_tokens().empty() ? piece(tokens.bos)
                                                     : piece(tokenizer_->prefix_tokens().front());
  specials.eos = end_tokens_.empty() ? "" : piece(end_tokens_.front());
  specials.image = piece(tokens.image);
  if (specials.image.empty()) {
    return make_error(ErrorCode::kBadModel,
                      "{}: image token {} is not in the tokenizer's vocabulary of {}",
                      checkpoint.path.string(), tokens.image, tokenizer_->vocabulary_size());
  }
  prompts_ = std::make_unique<const PromptBuilder>(*template_, *tokenizer_, std::move(specials),
                                                   static_cast<std::int32_t>(tokens.image));
  return {};
}

Result<engine::SequenceRequest> LoadedModel::request(Prompt prompt,
                                                     const AskOptions& options) const {
  if (options.stop.size() > kMaxStops) {
    return make_error(ErrorCode::kInvalidArgument, "stop: expected at most {} texts, found {}",
                      kMaxStops, options.stop.size());
  }
  if (options.top_logprobs < 0 || options.top_logprobs > kMaxTopLogprobs ||
      (options.top_logprobs > 0 && !options.logprobs)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "top_logprobs: expected 0 to {}, and logprobs with more than 0, found {}",
                      kMaxTopLogprobs, options.top_logprobs);
  }
  engine::SequenceRequest request;
  const std::int64_t prompt_tokens = prompt.tokens;
  request.prompt = std::move(prompt.segments);
  engine::SamplingOptions& sampling = request.sampling = sampling_;
  sampling.temperature = options.temperature.value_or(sampling_.temperature);
  sampling.top_p = options.top_p.value_or(sampling_.top_p);
  sampling.top_k = options.top_k.value_or(sampling_.top_k);
  sampling.min_p = options.min_p.value_or(sampling_.min_p);
  sampling.typical_p = options.typical_p.value_or(sampling_.typical_p);
  // A greedy answer of a model that samples by default is its likeliest tokens: the penalty is one
  // of the settings that the file gives for sampling.
  const bool greedy_instead = samples_ && sampling.temperature <= 0;
  sampling.repetition_penalty =
      options.repetition_penalty.value_or(greedy_instead ? 1 : sampling_.repetition_penalty);
  sampling.presence_penalty = options.presence_penalty;
  sampling.frequency_penalty = options.frequency_penalty;
  sampling.logit_bias.assign(options.logit_bias.begin(), options.logit_bias.end());
  sampling.min_tokens = std::max(sampling_.min_tokens, options.min_tokens);
  sampling.ignore_eos = options.ignore_eos;
  sampling.seed = options.seed;
  request.max_new_tokens = options.max_new_tokens.value_or(max_new_tokens_);
  request.end_tokens = end_tokens_;
  if (options.score) {
    score(*options.score, request);
    const std::int64_t all = prompt_tokens + request.max_new_tokens;
    if (all > info_.context_tokens) {
      return make_error(ErrorCode::kContextFull,
                        "prompt and scored text take {} tokens, the context has {}", all,
                        info_.context_tokens);
    }
    return request;
  }
  if (options.logprobs) request.top_logprobs = options.top_logprobs;
  return request;
}

// The text is the answer, and one more token is looked at: where it would end.
void LoadedModel::score(const std::string& text, engine::SequenceRequest& request) const {
  request.sampling = {};
  request.forced_tokens = tokenizer_->encode(text, false, false);
  request.drafts_forced = true;
  request.keep_logits = true;
  request.max_new_tokens = std::ssize(request.forced_tokens) + 1;
}

}  // namespace ocellus::vision
