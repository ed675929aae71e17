// Settings of the C API to those of C++.
#include <chrono>
#include <cstdint>
#include <optional>

#include "capi/handles.h"

namespace ocellus::capi {
namespace {

// Structs grow at their end only: these are the sizes that programs have been compiled with.
static_assert(sizeof(void*) != 8 ||
              (sizeof(ocellus_registry_options) == 16 && sizeof(ocellus_model_options) == 176 &&
               sizeof(ocellus_ask_options) == 176 && sizeof(ocellus_model_info) == 88 &&
               sizeof(ocellus_piece) == 80 && sizeof(ocellus_stats) == 128));

static_assert(OCELLUS_WEIGHTS_AUTO == static_cast<int>(WeightType::kAuto) &&
              OCELLUS_WEIGHTS_F32 == static_cast<int>(WeightType::kF32) &&
              OCELLUS_WEIGHTS_F16 == static_cast<int>(WeightType::kF16) &&
              OCELLUS_WEIGHTS_BF16 == static_cast<int>(WeightType::kBF16) &&
              OCELLUS_WEIGHTS_Q8 == static_cast<int>(WeightType::kQ8) &&
              OCELLUS_WEIGHTS_Q4 == static_cast<int>(WeightType::kQ4) &&
              OCELLUS_WEIGHTS_Q8_0 == static_cast<int>(WeightType::kQ8_0) &&
              OCELLUS_WEIGHTS_Q6_K == static_cast<int>(WeightType::kQ6_K) &&
              OCELLUS_WEIGHTS_Q5_K == static_cast<int>(WeightType::kQ5_K) &&
              OCELLUS_WEIGHTS_Q5_1 == static_cast<int>(WeightType::kQ5_1) &&
              OCELLUS_WEIGHTS_Q5_0 == static_cast<int>(WeightType::kQ5_0) &&
              OCELLUS_WEIGHTS_Q4_K == static_cast<int>(WeightType::kQ4_K) &&
              OCELLUS_WEIGHTS_Q4_1 == static_cast<int>(WeightType::kQ4_1) &&
              OCELLUS_WEIGHTS_Q4_0 == static_cast<int>(WeightType::kQ4_0) &&
              OCELLUS_WEIGHTS_Q3_K == static_cast<int>(WeightType::kQ3_K) &&
              OCELLUS_WEIGHTS_Q2_K == static_cast<int>(WeightType::kQ2_K));
static_assert(OCELLUS_KV_AUTO == static_cast<int>(KvType::kAuto) &&
              OCELLUS_KV_F32 == static_cast<int>(KvType::kF32) &&
              OCELLUS_KV_F16 == static_cast<int>(KvType::kF16) &&
              OCELLUS_KV_Q8 == static_cast<int>(KvType::kQ8));
static_assert(OCELLUS_PREPROCESS_MODEL == static_cast<int>(Preprocess::kModel) &&
              OCELLUS_PREPROCESS_CROP == static_cast<int>(Preprocess::kCrop) &&
              OCELLUS_PREPROCESS_PAD == static_cast<int>(Preprocess::kPad));
static_assert(OCELLUS_STAGE_QUEUE == static_cast<int>(Stage::kQueue) &&
              OCELLUS_STAGE_FETCH == static_cast<int>(Stage::kFetch) &&
              OCELLUS_STAGE_DECODE == static_cast<int>(Stage::kDecode) &&
              OCELLUS_STAGE_TOWER == static_cast<int>(Stage::kTower) &&
              OCELLUS_STAGE_PREFILL == static_cast<int>(Stage::kPrefill));

static_assert(OCELLUS_RESPONSE_TEXT == static_cast<int>(ResponseFormat::Kind::kText) &&
              OCELLUS_RESPONSE_JSON_OBJECT == static_cast<int>(ResponseFormat::Kind::kJsonObject) &&
              OCELLUS_RESPONSE_JSON_SCHEMA == static_cast<int>(ResponseFormat::Kind::kJsonSchema) &&
              OCELLUS_RESPONSE_REGEX == static_cast<int>(ResponseFormat::Kind::kRegex) &&
              OCELLUS_RESPONSE_CHOICE == static_cast<int>(ResponseFormat::Kind::kChoice));

template <typename Enum>
Status read_enum(std::int32_t value, Enum last, const char* name, Enum& out) {
  if (value < 0 || value > static_cast<std::int32_t>(last)) {
    return invalid(std::string(name) + ": expected 0 to " +
                   std::to_string(static_cast<std::int32_t>(last)) + ", found " +
                   std::to_string(value));
  }
  out = static_cast<Enum>(value);
  return {};
}

// Counts where 0 means the default.
template <typename Integer>
Status read_count(std::int64_t value, const char* name, Integer& out) {
  if (value < 0) {
    return invalid(std::string(name) + ": expected 0 or more, found " + std::to_string(value));
  }
  if (value > 0) out = static_cast<Integer>(value);
  return {};
}

Status read_image_tokens(std::int64_t value, std::int64_t& out) {
  if (value != kCheckpointImageTokens) return read_count(value, "image_tokens", out);
  out = value;
  return {};
}

// Reserved fields are for later versions, whose meaning must not be dropped.
Status check_reserved(std::int32_t value, const char* name) {
  if (value == 0) return {};
  return invalid(std::string(name) + ": expected 0, found " + std::to_string(value));
}

std::string text_or_empty(const char* text) { return text == nullptr ? "" : text; }

template <typename T>
std::optional<T> unless_negative(T value) {
  return value < 0 ? std::nullopt : std::optional<T>(value);
}

}  // namespace

Result<std::vector<std::string>> read_texts(const char* const* texts, std::size_t count,
                                            std::string_view name) {
  std::vector<std::string> read;
  if (count == 0) return read;
  if (Status given = require(texts, name); !given) return std::unexpected(given.error());
  for (std::size_t i = 0; i < count; ++i) {
    if (texts[i] == nullptr) {
      return invalid(std::string(name) + "[" + std::to_string(i) +
                     "]: expected a text, found NULL");
    }
    read.emplace_back(texts[i]);
  }
  return read;
}

Result<Picture> read_picture(const char* path_or_url, std::string_view name) {
  if (Status given = require(path_or_url, name); !given) return std::unexpected(given.error());
  return Picture::parse(path_or_url);
}

Result<Picture> read_picture(const void* bytes, std::size_t size) {
  if (Status given = require(bytes, "bytes"); !given) return std::unexpected(given.error());
  const auto* const first = static_cast<const std::byte*>(bytes);
  return Picture::from_bytes({first, first + size});
}

Result<ModelOptions> read_model_options(const ocellus_model_options* given) {
  if (Status there = require(given, "options"); !there) return std::unexpected(there.error());
  const auto read = read_options(given, ocellus_model_options(OCELLUS_MODEL_OPTIONS_INIT),
                                 "ocellus_model_options");
  if (!read) return std::unexpected(read.error());
  const ocellus_model_options& o = *read;
  ModelOptions options;
  std::int64_t slice = options.slice.count();
  for (const Status& status : {
           require(o.path, "path"),
           read_enum(o.weights, WeightType::kQ2_K, "weights", options.weights),
           read_enum(o.tower_weights, WeightType::kQ2_K, "tower_weights", options.tower_weights),
           read_enum(o.preprocess, Preprocess::kPad, "preprocess", options.preprocess),
           read_enum(o.kv_type, KvType::kQ8, "kv_type", options.kv_type),
           read_count(o.context_tokens, "context_tokens", options.context_tokens),
           read_count(o.mailbox_capacity, "mailbox_capacity", options.mailbox_capacity),
           read_count(o.max_sequences, "max_sequences", options.max_sequences),
           read_count(o.slice_ms, "slice_ms", slice),
           read_count(o.max_tiles, "max_tiles", options.max_tiles),
           read_image_tokens(o.image_tokens, options.image_tokens),
           read_count(o.min_image_tokens, "min_image_tokens", options.min_image_tokens),
           check_reserved(o.reserved, "reserved"),
       }) {
    if (!status) return std::unexpected(status.error());
  }
  options.path = o.path;
  options.mmproj = text_or_empty(o.mmproj);
  options.prompt_template = text_or_empty(o.prompt_template);
  options.temperature = unless_negative(o.temperature);
  if (o.max_new_tokens != 0) options.max_new_tokens = o.max_new_tokens;
  options.slice = std::chrono::milliseconds(slice);
  options.kv_cache = o.kv_cache != 0;
  options.speculation = o.speculation != 0;
  options.sample_instead = o.sample_instead != 0;
  if (o.prefix_cache_bytes >= 0)
    options.prefix_cache_bytes = static_cast<std::size_t>(o.prefix_cache_bytes);
  options.fetch.allow_urls = o.allow_urls != 0;
  auto hosts = read_texts(o.allow_hosts, o.allow_hosts_count, "allow_hosts");
  if (!hosts) return std::unexpected(std::move(hosts).error());
  options.fetch.allow_hosts = *std::move(hosts);
  if (o.progress != nullptr) {
    options.progress = [told = o.progress, data = o.progress_data](
                           double fraction, const char* stage) { told(data, fraction, stage); };
  }
  return options;
}

Result<AskOptions> read_ask_options(const ocellus_ask_options* given) {
  const auto read =
      read_options(given, ocellus_ask_options(OCELLUS_ASK_OPTIONS_INIT), "ocellus_ask_options");
  if (!read) return std::unexpected(read.error());
  const ocellus_ask_options& o = *read;
  if (Status status = check_reserved(o.reserved, "reserved"); !status)
    return std::unexpected(std::move(status).error());
  AskOptions options;
  if (o.max_new_tokens != 0) options.max_new_tokens = o.max_new_tokens;
  options.temperature = unless_negative(o.temperature);
  options.top_p = unless_negative(o.top_p);
  options.top_k = unless_negative(o.top_k);
  options.min_p = unless_negative(o.min_p);
  options.typical_p = unless_negative(o.typical_p);
  options.repetition_penalty = unless_negative(o.repetition_penalty);
  options.presence_penalty = o.presence_penalty;
  options.frequency_penalty = o.frequency_penalty;
  if (o.logit_bias_count > 0) {
    if (Status status = require(o.logit_bias, "logit_bias"); !status)
      return std::unexpected(std::move(status).error());
    for (std::size_t i = 0; i < o.logit_bias_count; ++i)
      options.logit_bias[o.logit_bias[i].id] = o.logit_bias[i].bias;
  }
  options.min_tokens = o.min_tokens;
  options.ignore_eos = o.ignore_eos != 0;
  options.logprobs = o.logprobs != 0;
  options.top_logprobs = o.top_logprobs;
  options.seed = o.seed;
  auto stop = read_texts(o.stop, o.stop_count, "stop");
  if (!stop) return std::unexpected(std::move(stop).error());
  options.stop = *std::move(stop);
  if (o.deadline_ms != 0) options.deadline = std::chrono::milliseconds(o.deadline_ms);
  for (const Status& status :
       {check_reserved(o.reserved_2, "reserved_2"), check_reserved(o.reserved_3, "reserved_3")}) {
    if (!status) return std::unexpected(status.error());
  }
  ResponseFormat& format = options.response_format;
  if (Status status = read_enum(o.response_format, ResponseFormat::Kind::kChoice, "response_format",
                                format.kind);
      !status) {
    return std::unexpected(std::move(status).error());
  }
  format.text = text_or_empty(o.response_text);
  auto choices = read_texts(o.choices, o.choice_count, "choices");
  if (!choices) return std::unexpected(std::move(choices).error());
  format.choices = *std::move(choices);
  return options;
}

}  // namespace ocellus::capi
