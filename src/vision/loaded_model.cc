#include "vision/loaded_model.h"

#include <algorithm>

#include "base/result.h"
#include "formats/hf_config.h"
#include "models/checkpoint.h"
#include "models/tokenizer.h"

namespace ocellus::vision {
namespace {

using base::make_error;

constexpr std::int64_t kDefaultContext = 4096;
constexpr float kDefaultTemperature = 0.2f;         // LLaVA-1.5's published value
constexpr std::int64_t kDefaultMaxNewTokens = 512;  // likewise
constexpr std::int64_t kMaxStops = 16;

std::optional<tensor::DType> dtype_of(WeightType type) {
  switch (type) {
    case WeightType::kAuto:
      return std::nullopt;
    case WeightType::kF32:
      return tensor::DType::kF32;
    case WeightType::kF16:
      return tensor::DType::kF16;
    case WeightType::kBF16:
      return tensor::DType::kBF16;
    case WeightType::kQ8:
      return tensor::DType::kQ8;
    case WeightType::kQ4:
      return tensor::DType::kQ4;
    case WeightType::kQ8_0:
      return tensor::DType::kQ8_0;
    case WeightType::kQ6_K:
      return tensor::DType::kQ6_K;
    case WeightType::kQ5_K:
      return tensor::DType::kQ5_K;
    case WeightType::kQ5_1:
      return tensor::DType::kQ5_1;
    case WeightType::kQ5_0:
      return tensor::DType::kQ5_0;
    case WeightType::kQ4_K:
      return tensor::DType::kQ4_K;
    case WeightType::kQ4_1:
      return tensor::DType::kQ4_1;
    case WeightType::kQ4_0:
      return tensor::DType::kQ4_0;
    case WeightType::kQ3_K:
      return tensor::DType::kQ3_K;
    case WeightType::kQ2_K:
      return tensor::DType::kQ2_K;
  }
  return std::nullopt;
}

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
    return text::PromptTemplate::parse(*c.chat_template, c.folder.string() + ": chat template");
  return text::PromptTemplate::named("llava-1.5");
}

std::int64_t parameters(const models::Checkpoint& checkpoint) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : checkpoint.tensors)
    count += tensor.shape.elements().value_or(0);
  return count;
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::load(
    const ModelOptions& options, std::shared_ptr<const compute::Backend> backend,
    const models::StopCheck& stop) {
  std::unique_ptr<LoadedModel> loaded(new LoadedModel);
  loaded->backend_ = std::move(backend);
  OCELLUS_ASSIGN_OR_RETURN(const models::Checkpoint checkpoint,
                           models::load_checkpoint(options.path, options.mmproj));
  loaded->config_ = checkpoint.config;
  OCELLUS_ASSIGN_OR_RETURN(loaded->tokenizer_, models::make_tokenizer(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(text::PromptTemplate prompt_template,
                           make_template(checkpoint, options));
  loaded->template_ = std::make_unique<const text::PromptTemplate>(std::move(prompt_template));
  OCELLUS_RETURN_IF_ERROR(loaded->read_settings(checkpoint, options));
  models::LoadOptions load_options{dtype_of(options.weights), dtype_of(options.tower_weights),
                                   options.preprocess, nullptr, stop};
  if (options.progress) {
    load_options.progress = [&options](double fraction) {
      options.progress(fraction, "loading weights");
    };
  }
  OCELLUS_ASSIGN_OR_RETURN(loaded->model_,
                           models::LlavaModel::load(checkpoint, *loaded->backend_, load_options));
  loaded->encoder_ = loaded->model_->make_encoder();
  engine::EngineOptions engine_options;
  engine_options.context_tokens = loaded->info_.context_tokens;
  engine_options.max_sessions = std::max<std::size_t>(1, options.max_sessions);
  engine_options.kv_cache = options.kv_cache;
  engine_options.speculation = options.speculation;
  engine_options.kv_type = dtype_of(options.kv_type);
  OCELLUS_ASSIGN_OR_RETURN(loaded->engine_,
                           engine::Engine::create(*loaded->model_, engine_options));
  loaded->info_.image_tokens = loaded->model_->facts().max_image_rows;
  loaded->info_.architecture = loaded->model_->facts().architecture;
  loaded->info_.weight_bytes =
      static_cast<std::int64_t>(models::weight_bytes(checkpoint, load_options));
  return loaded;
}

Status LoadedModel::read_settings(const models::Checkpoint& checkpoint,
                                  const ModelOptions& options) {
  const formats::GenerationConfig& generation = checkpoint.generation;
  for (const std::int64_t id :
       generation.eos_tokens.empty() ? config_.language.eos_tokens : generation.eos_tokens) {
    end_tokens_.push_back(static_cast<std::int32_t>(id));
  }
  // A file that samples says how; one that says nothing of it means greedy to transformers, but
  // LLaVA was published with 0.2.
  sampling_.temperature = options.temperature.value_or(
      generation.do_sample ? static_cast<float>(generation.temperature) : kDefaultTemperature);
  if (generation.do_sample) {
    sampling_.top_p = static_cast<float>(generation.top_p);
    sampling_.top_k = generation.top_k;
  }
  sampling_.repetition_penalty = static_cast<float>(generation.repetition_penalty);
  max_new_tokens_ = options.max_new_tokens.value_or(
      generation.max_new_tokens > 0 ? generation.max_new_tokens : kDefaultMaxNewTokens);

  specials_.bos =
      std::string(tokenizer_->token_text(static_cast<std::int32_t>(config_.language.bos_token)));
  // The tokenizer's own start token counts where it has one: configs often leave it to a default.
  if (!tokenizer_->prefix_tokens().empty())
    specials_.bos = std::string(tokenizer_->token_text(tokenizer_->prefix_tokens().front()));
  specials_.eos = end_tokens_.empty() ? "" : std::string(tokenizer_->token_text(end_tokens_.front()));
  specials_.image =
      std::string(tokenizer_->token_text(static_cast<std::int32_t>(config_.image_token)));
  if (specials_.image.empty()) {
    return make_error(
        ErrorCode::kBadModel, "{}: image token {} is not in the tokenizer's vocabulary of {}",
        checkpoint.folder.string(), config_.image_token, tokenizer_->vocabulary_size());
  }
  const std::int64_t longest = config_.language.max_position;
  if (options.context_tokens > longest) {
    return make_error(ErrorCode::kInvalidArgument,
                      "context: expected at most the model's {} tokens, found {}", longest,
                      options.context_tokens);
  }
  info_.image_size = config_.tower.image_size;
  info_.context_tokens =
      options.context_tokens > 0 ? options.context_tokens : std::min(longest, kDefaultContext);
  info_.vocabulary = config_.language.vocab_size;
  info_.parameters = parameters(checkpoint);
  info_.temperature = sampling_.temperature;
  info_.max_new_tokens = max_new_tokens_;
  info_.device = backend_->describe();
  return {};
}

Result<models::PreparedImage> LoadedModel::prepare(std::span<const std::byte> encoded) const {
  OCELLUS_ASSIGN_OR_RETURN(const image::Image picture, image::decode_image(encoded));
  return model_->prepare_image(picture);
}

Result<EncodedPicture> LoadedModel::encode(const models::PreparedImage& prepared,
                                           const models::StopCheck& stop, bool keep_features) {
  EncodedPicture encoded;
  OCELLUS_RETURN_IF_ERROR(encoder_->begin(prepared));
  while (!encoder_->done()) {
    if (stop && stop())
      return make_error(ErrorCode::kCancelled, "cancelled while the picture was being encoded");
    OCELLUS_RETURN_IF_ERROR(encoder_->advance());
  }
  encoded.embeddings = std::make_shared<const engine::ImageEmbeddings>(encoder_->take());
  if (keep_features) {
    const tensor::ConstMatrix features = encoder_->features();
    encoded.feature_width = features.cols;
    for (std::int64_t row = 0; row < features.rows; ++row)
      encoded.features.insert(encoded.features.end(), features.row(row),
                              features.row(row) + features.cols);
  }
  return encoded;
}

Result<std::vector<std::int32_t>> LoadedModel::prompt_ids(const std::string& question,
                                                          const AskOptions& options) const {
  using text::Message;
  std::vector<Message> messages;
  if (!options.system.empty()) messages.push_back({Message::Role::kSystem, {options.system}});
  // The image stands in the first message of the user.
  auto user = [&, first = true](const std::string& text) mutable {
    Message message{Message::Role::kUser, {}};
    if (std::exchange(first, false)) message.parts.emplace_back(text::ImagePart{});
    message.parts.emplace_back(text);
    messages.push_back(std::move(message));
  };
  for (const Turn& turn : options.earlier) {
    user(turn.question);
    messages.push_back({Message::Role::kAssistant, {turn.answer}});
  }
  user(question);
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<text::Segment> segments,
                           template_->render(messages, specials_));
  // A template that writes the start token itself gets no second one.
  const bool has_start = !specials_.bos.empty() && !segments.empty() && segments.front().trusted &&
                         segments.front().text.starts_with(specials_.bos);
  const std::vector<std::int32_t> ids = tokenizer_->encode(segments, !has_start);
  const auto image_token = static_cast<std::int32_t>(config_.image_token);
  if (const auto places = std::ranges::count(ids, image_token); places != 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the prompt template gives {} places for the picture, expected 1", places);
  }
  std::vector<std::int32_t> expanded;
  for (const std::int32_t id : ids) {
    expanded.insert(
        expanded.end(),
        id == image_token ? static_cast<std::size_t>(model_->facts().max_image_rows) : 1, id);
  }
  return expanded;
}

Result<engine::SessionRequest> LoadedModel::session(
    const std::string& question, const AskOptions& options,
    std::shared_ptr<const engine::ImageEmbeddings> picture) const {
  if (options.stop.size() > kMaxStops) {
    return make_error(ErrorCode::kInvalidArgument, "stop: expected at most {} texts, found {}",
                      kMaxStops, options.stop.size());
  }
  engine::SessionRequest request;
  OCELLUS_ASSIGN_OR_RETURN(request.ids, prompt_ids(question, options));
  request.image_token = static_cast<std::int32_t>(config_.image_token);
  request.images = {std::move(picture)};
  request.sampling = sampling_;
  request.sampling.temperature = options.temperature.value_or(sampling_.temperature);
  request.sampling.top_p = options.top_p.value_or(sampling_.top_p);
  request.sampling.top_k = options.top_k.value_or(sampling_.top_k);
  request.sampling.min_p = options.min_p.value_or(0);
  // Greedy means the likeliest token: a penalty that the file keeps for sampling does not bend it.
  request.sampling.repetition_penalty = options.repetition_penalty.value_or(
      request.sampling.temperature > 0 ? sampling_.repetition_penalty : 1.0f);
  request.sampling.seed = options.seed;
  request.max_new_tokens = options.max_new_tokens.value_or(max_new_tokens_);
  request.end_tokens = end_tokens_;
  return request;
}

}  // namespace ocellus::vision
