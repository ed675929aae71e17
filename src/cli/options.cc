#include "cli/options.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include "base/read_file.h"
#include "base/result.h"
#include "cli/report.h"
#include "tensor/weight_types.h"

namespace ocellus::cli {
namespace {

Result<WeightType> parse_weights(const std::string& name) {
  if (name == "auto") return WeightType::kAuto;
  if (const tensor::WeightTypeInfo* const type = tensor::find_weight_type(name))
    return type->option;
  return base::make_error(ErrorCode::kInvalidArgument, "--weights: \"{}\" is not known", name);
}

Result<KvType> parse_kv(const std::string& name) {
  if (name == "auto") return KvType::kAuto;
  if (name == "f32") return KvType::kF32;
  if (name == "f16") return KvType::kF16;
  if (name == "q8") return KvType::kQ8;
  return base::make_error(ErrorCode::kInvalidArgument,
                          "--kv: expected auto, f32, f16 or q8, found {}", name);
}

Result<Preprocess> parse_preprocess(const std::string& name) {
  if (name == "model") return Preprocess::kModel;
  if (name == "crop") return Preprocess::kCrop;
  if (name == "pad") return Preprocess::kPad;
  return base::make_error(ErrorCode::kInvalidArgument,
                          "--preprocess: expected model, crop or pad, found {}", name);
}

// "[MIN:]MAX" or "model"; empty: the usual.
Status parse_image_tokens(const std::string& text, ModelOptions& options) {
  if (text.empty()) return {};
  if (text == "model") {
    options.image_tokens = kCheckpointImageTokens;
    return {};
  }
  constexpr std::int64_t kMost = std::int64_t{1} << 20;
  const auto number = [](std::string_view digits, std::int64_t& out) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc() && end == digits.data() + digits.size() && out > 0 && out <= kMost;
  };
  const std::size_t colon = text.find(':');
  const std::string_view all = text;
  const bool good = colon == std::string::npos
                        ? number(all, options.image_tokens)
                        : number(all.substr(0, colon), options.min_image_tokens) &&
                              number(all.substr(colon + 1), options.image_tokens) &&
                              options.min_image_tokens <= options.image_tokens;
  if (good) return {};
  return base::make_error(ErrorCode::kInvalidArgument,
                          "--image-tokens: expected model, MAX or MIN:MAX, from 1 to {}, found "
                          "\"{}\"",
                          kMost, text);
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

// Throws CLI::ValidationError.
std::uint64_t parse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (ec == std::errc() && end == text.data() + text.size() && !text.empty()) return seed;
  throw CLI::ValidationError(
      "--seed", fmt::format("expected a whole number from 0 to 18446744073709551615, found {}",
                            shortened(text)));
}

std::uint64_t random_seed() {
  std::random_device device;
  // Exact as a number of JSON, wherever it is read.
  constexpr std::uint64_t kMask = (std::uint64_t{1} << 53) - 1;
  return (std::uint64_t{device()} << 32 | device()) & kMask;
}

// "17=-2.5"
Result<std::pair<std::int32_t, float>> parse_logit_bias(const std::string& text) {
  std::pair<std::int32_t, float> bias;
  const char* const end = text.data() + text.size();
  const auto [equals, no_id] = std::from_chars(text.data(), end, bias.first);
  if (no_id == std::errc() && equals != end && *equals == '=') {
    const auto [rest, no_bias] = std::from_chars(equals + 1, end, bias.second);
    if (no_bias == std::errc() && rest == end) return bias;
  }
  return base::make_error(ErrorCode::kInvalidArgument, "--logit-bias: expected ID=BIAS, found {}",
                          text);
}

}  // namespace

std::vector<std::string> weight_names() {
  std::vector<std::string> names = {"auto"};
  for (const tensor::WeightTypeInfo& type : tensor::kWeightTypes) names.emplace_back(type.name);
  return names;
}

CLI::Validator weight_type_in(std::vector<std::string> names) {
  const std::string known = fmt::format("{}", fmt::join(names, ", "));
  return CLI::Validator(
      [names = std::move(names), known](std::string& value) -> std::string {
        std::string name = CLI::detail::to_lower(value);
        for (const std::string_view size : {"_k_s", "_k_m", "_k_l"})
          if (name.ends_with(size)) name.resize(name.size() - 2);
        if (std::ranges::find(names, name) == names.end())
          return fmt::format("expected one of {}, found {}", known, shortened(value));
        value = name;
        return "";
      },
      "");
}

std::string tower_weights_for(const std::string& weights, const std::string& tower_weights) {
  const bool plain = weights == "f32" || weights == "f16" || weights == "bf16";
  return tower_weights == "auto" && plain ? weights : tower_weights;
}

void ModelFlags::add_files_to(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->group("Model");
  };
  add("-m,--model", model,
      "Model folder, a .gguf language model, or a packed model (default: the demo model)")
      ->type_name("DIR|FILE");
  add("--mmproj", mmproj, "Tower and projector of a .gguf language model (default: beside it)")
      ->type_name("FILE");
  add("--preprocess", preprocess,
      "Pictures that are not square: model (as the checkpoint says), crop or pad (default: model)")
      ->type_name("HOW")
      ->check(CLI::IsMember({"model", "crop", "pad"}));
  add("--max-tiles", max_tiles,
      "Cut a picture into no more tiles than N (default: as the checkpoint says)")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1024}));
  add("--image-tokens", image_tokens,
      "Spend no more than MAX tokens on a picture, and no fewer than MIN, where the model has a "
      "choice; model: as the checkpoint says (default: the same, but at most 1280 where pictures "
      "are "
      "taken in their own size)")
      ->type_name("[MIN:]MAX|model");
}

void ModelFlags::add_to(CLI::App& command) {
  add_files_to(command);
  add_settings_to(command);
}

void ModelFlags::add_settings_to(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->group("Model");
  };
  add("--weights,--dtype", dtype,
      "How weights are held: auto (as stored), or rounded while loading (default: auto)")
      ->type_name("TYPE")
      ->transform(weight_type_in(weight_names()));
  add("--tower-weights,--tower-dtype", tower_dtype,
      "The same for tower and projector (default: as --weights where that is f32, f16 or bf16; "
      "bf16 beside block types)")
      ->type_name("TYPE")
      ->transform(weight_type_in(weight_names()));
  add("--prompt-template", prompt_template,
      "llava-1.5, vicuna, mistral, llama-3, chatml, plain, or a text with {question} and <image> "
      "(default: the checkpoint's own)")
      ->type_name("NAME|TEXT");
  add("--allow-host", allow_hosts,
      "Let pictures come from this address though it is not public (repeatable)")
      ->type_name("HOST[:PORT]|CIDR")
      ->allow_extra_args(false);
  add("--connect-timeout", connect_timeout,
      "Of a picture's download: name lookup, TCP and TLS may each take so long (default: 3)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 3600.0));
  add("--download-timeout", download_timeout, "A picture's whole download (default: 15)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.01, 3600.0));
  add("--context", context_tokens, "Tokens of context (default: the model's, at most 4096)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20));
  add("--threads", threads, "Compute threads (default: all cores)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  add("--kv", kv,
      "How keys and values are kept: f32, f16, q8, or auto, which is f32 beside f32 and f16 "
      "weights, else f16 (default: auto)")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"auto", "f32", "f16", "q8"}));
  add("--prefix-cache", prefix_cache,
      "Memory for prompts that are kept after their answers; a later one that begins alike "
      "computes only the rest (same text; default: 1GiB)")
      ->type_name("SIZE")
      ->transform(CLI::AsSizeValue(false));
  command.add_flag("--no-kv-cache", no_kv_cache, "Recompute everything for each token (same text)")
      ->group("Model");
  command
      .add_flag("--no-speculation", no_speculation,
                "One token a step, also where the text repeats itself (same text)")
      ->group("Model");
  command
      .add_flag("--sample-instead", sample_instead,
                "Where generation_config.json asks for beams or another search that is not built: "
                "sample instead of refusing the model")
      ->group("Model");
}

Result<ModelOptions> ModelFlags::options() const {
  ModelOptions options;
  if (model.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(options.path, find_default_model());
  } else {
    options.path = model;
  }
  options.mmproj = mmproj;
  OCELLUS_ASSIGN_OR_RETURN(options.weights, parse_weights(dtype));
  OCELLUS_ASSIGN_OR_RETURN(options.tower_weights,
                           parse_weights(tower_weights_for(dtype, tower_dtype)));
  OCELLUS_ASSIGN_OR_RETURN(options.kv_type, parse_kv(kv));
  OCELLUS_ASSIGN_OR_RETURN(options.preprocess, parse_preprocess(preprocess));
  options.max_tiles = max_tiles;
  OCELLUS_RETURN_IF_ERROR(parse_image_tokens(image_tokens, options));
  options.prompt_template = prompt_template;
  options.fetch.allow_hosts = allow_hosts;
  options.fetch.connect_timeout = milliseconds(connect_timeout);
  options.fetch.download_timeout = milliseconds(download_timeout);
  options.context_tokens = context_tokens;
  options.prefix_cache_bytes = prefix_cache;
  options.kv_cache = !no_kv_cache;
  options.speculation = !no_speculation;
  options.sample_instead = sample_instead;
  return options;
}

void SamplingFlags::add_to(CLI::App& command) {
  const auto add = [&](const char* name, auto& value, const char* text) {
    return command.add_option(name, value, text)->group("Answer");
  };
  add("-n,--max-tokens", max_tokens, "Tokens to generate at most (default: the model's, else 512)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20));
  add("-t,--temperature", temperature,
      "0: always the likeliest token (default: the model's, else 0.2)")
      ->type_name("T")
      ->check(CLI::Range(0.0, 100.0));
  add("--top-p", top_p,
      "Keep the likeliest tokens up to this probability (default: the model's, else 1)")
      ->type_name("P")
      ->check(CLI::Range(0.0, 1.0));
  add("--top-k", top_k, "Keep the K likeliest tokens; 0: all (default: the model's, else 0)")
      ->type_name("K")
      ->check(CLI::Range(0, 1 << 21));
  add("--min-p", min_p,
      "Drop tokens below this share of the likeliest one's probability (default: the model's, else "
      "0)")
      ->type_name("P")
      ->check(CLI::Range(0.0, 1.0));
  add("--typical-p", typical_p,
      "Keep tokens of typical probability up to this sum (default: the model's, else 1)")
      ->type_name("P")
      ->check(CLI::Range(0.0, 1.0));
  add("--repetition-penalty", repetition_penalty,
      "Divides logits of tokens that prompt or answer have (default: the model's, else 1: none)")
      ->type_name("X")
      ->check(CLI::Range(0.01, 100.0));
  add("--presence-penalty", presence_penalty,
      "Subtracted once from the logit of each token that the answer has (default: 0)")
      ->type_name("X")
      ->check(CLI::Range(-2.0, 2.0));
  add("--frequency-penalty", frequency_penalty,
      "Subtracted for each time that the answer has it (default: 0)")
      ->type_name("X")
      ->check(CLI::Range(-2.0, 2.0));
  add("--logit-bias", logit_bias, "Added to a token's logit, -100 to 100 (repeatable)")
      ->type_name("ID=BIAS")
      ->allow_extra_args(false);
  add("--min-tokens", min_tokens, "No end token before so many (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 20));
  command.add_flag("--ignore-eos", ignore_eos, "No end token at all: go on to the limit")
      ->group("Answer");
  add("--thinking", thinking,
      "Whether the model thinks aloud before it answers: on or off, where its chat template has a "
      "switch (default: as the template does by itself)")
      ->type_name("HOW")
      ->check(CLI::IsMember({"on", "off"}));
  // As text first: the parser's own reading of numbers takes "-1" for the largest.
  command
      .add_option_function<std::string>(
          "--seed", [this](const std::string& text) { seed = parse_seed(text); },
          "The same seed gives the same answer (default: another each time; --json tells it)")
      ->type_name("N")
      ->group("Answer");
  add("--stop", stop, "End the answer before this text (repeatable)")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  auto* const schema = add("--json-schema", json_schema,
                           "Hold the answer to this JSON Schema: a file, or the schema itself");
  schema->type_name("FILE|JSON");
  auto* const object =
      command.add_flag("--json-object", json_object, "Hold the answer to one JSON object")
          ->group("Answer");
  auto* const expression =
      add("--regex", regex, "Hold the answer to what this expression matches from end to end");
  expression->type_name("REGEX");
  add("--choice", choices, "Hold the answer to one of these texts (repeatable)")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->excludes(schema)
      ->excludes(object)
      ->excludes(expression);
  schema->excludes(object)->excludes(expression);
  object->excludes(expression);
  add("--deadline", deadline_seconds, "Give up after so long (default: never)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.001, 600.0));
}

Result<ResponseFormat> SamplingFlags::response_format() const {
  using Kind = ResponseFormat::Kind;
  constexpr std::size_t kMaxSchema = 1 << 20;
  if (json_object) return ResponseFormat{.kind = Kind::kJsonObject};
  if (!regex.empty()) return ResponseFormat{.kind = Kind::kRegex, .text = regex};
  if (!choices.empty()) return ResponseFormat{.kind = Kind::kChoice, .choices = choices};
  if (json_schema.empty()) return ResponseFormat();
  if (json_schema.starts_with('{'))
    return ResponseFormat{.kind = Kind::kJsonSchema, .text = json_schema};
  OCELLUS_ASSIGN_OR_RETURN(std::string text, base::read_file(json_schema, kMaxSchema));
  return ResponseFormat{.kind = Kind::kJsonSchema, .text = std::move(text)};
}

Result<AskOptions> SamplingFlags::options() const {
  AskOptions options;
  options.max_new_tokens = max_tokens;
  options.temperature = temperature;
  options.top_p = top_p;
  options.top_k = top_k;
  options.min_p = min_p;
  options.typical_p = typical_p;
  options.repetition_penalty = repetition_penalty;
  options.presence_penalty = presence_penalty;
  options.frequency_penalty = frequency_penalty;
  for (const std::string& each : logit_bias) {
    OCELLUS_ASSIGN_OR_RETURN(const auto bias, parse_logit_bias(each));
    options.logit_bias[bias.first] = bias.second;
  }
  options.min_tokens = min_tokens;
  options.ignore_eos = ignore_eos;
  if (!thinking.empty()) options.thinking = thinking == "on";
  options.seed = seed ? *seed : random_seed();
  options.stop = stop;
  OCELLUS_ASSIGN_OR_RETURN(options.response_format, response_format());
  if (deadline_seconds > 0) {
    options.deadline = milliseconds(deadline_seconds);
  }
  return options;
}

Result<std::string> find_default_model() {
  if (const char* named = std::getenv("OCELLUS_MODEL"); named != nullptr && *named != '\0') {
    return std::string(named);
  }
  std::error_code ec;
  const std::filesystem::path executable = std::filesystem::read_symlink("/proc/self/exe", ec);
  // Build tree: <source>/build/<preset>/bin/ocellus; install tree: <prefix>/bin/ocellus.
  for (const char* relative : {"../../../models/demo", "../share/ocellus/models/demo"}) {
    const auto folder = (executable.parent_path() / relative).lexically_normal();
    if (std::filesystem::exists(folder / "config.json", ec)) return folder.string();
  }
  return base::make_error(ErrorCode::kModelNotFound,
                          "no model: the demo model is not beside this program; give --model DIR "
                          "or set OCELLUS_MODEL");
}

}  // namespace ocellus::cli
