#include "cli/options.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ocellus::cli {
namespace {

constexpr std::pair<const char*, WeightType> kWeightTypes[] = {
    {"auto", WeightType::kAuto}, {"f32", WeightType::kF32},   {"f16", WeightType::kF16},
    {"bf16", WeightType::kBF16}, {"q8", WeightType::kQ8},     {"q4", WeightType::kQ4},
    {"q8_0", WeightType::kQ8_0}, {"q6_k", WeightType::kQ6_K}, {"q5_k", WeightType::kQ5_K},
    {"q5_1", WeightType::kQ5_1}, {"q5_0", WeightType::kQ5_0}, {"q4_k", WeightType::kQ4_K},
    {"q4_1", WeightType::kQ4_1}, {"q4_0", WeightType::kQ4_0}, {"q3_k", WeightType::kQ3_K},
    {"q2_k", WeightType::kQ2_K}};

Result<WeightType> parse_weights(const std::string& name) {
  for (const auto& [known, type] : kWeightTypes) {
    if (name == known) return type;
  }
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

}  // namespace

std::vector<std::string> weight_names() {
  std::vector<std::string> names;
  for (const auto& [name, type] : kWeightTypes) names.emplace_back(name);
  return names;
}

std::string tower_weights_for(const std::string& weights, const std::string& tower_weights) {
  const bool plain = weights == "f32" || weights == "f16" || weights == "bf16";
  return tower_weights == "auto" && plain ? weights : tower_weights;
}

LoadProgress terminal_progress() {
  if (::isatty(STDERR_FILENO) == 0) return {};
  return [shown = -1](double fraction, const char* stage) mutable {
    const int percent = static_cast<int>(100 * fraction);
    if (percent == shown) return;
    shown = percent;
    if (percent < 100) {
      std::fprintf(stderr, "\r%s %d %%", stage, percent);
    } else {
      std::fprintf(stderr, "\r\x1b[K");
    }
    std::fflush(stderr);
  };
}

void ModelFlags::add_to(CLI::App& command) {
  command
      .add_option(
          "-m,--model", model,
          "Model folder, a .gguf language model, or a packed model (default: the demo model)")
      ->type_name("DIR|FILE");
  command.add_option("--mmproj", mmproj, "Tower and projector of a .gguf language model")
      ->type_name("FILE");
  command
      .add_option("--weights,--dtype", dtype,
                  "How weights are held: as stored (auto), or rounded while loading")
      ->type_name("TYPE")
      ->check(CLI::IsMember(weight_names()));
  command
      .add_option(
          "--tower-weights,--tower-dtype", tower_dtype,
          "The same for tower and projector (default: as --weights where that is f32, f16 or "
          "bf16; bf16 beside block types)")
      ->type_name("TYPE")
      ->check(CLI::IsMember(weight_names()));
  command
      .add_option("--preprocess", preprocess,
                  "Pictures that are not square: model (as the checkpoint says), crop or pad")
      ->check(CLI::IsMember({"model", "crop", "pad"}));
  command.add_option("--prompt-template", prompt_template,
                     "Instead of the checkpoint's: llava-1.5, vicuna, mistral, llama-3, chatml, "
                     "plain, or a text with {question} and <image>");
  command
      .add_option("--allow-host", allow_hosts,
                  "Let pictures come from HOST[:PORT] or CIDR though it is not public (repeatable)")
      ->type_name("HOST[:PORT]|CIDR")
      ->allow_extra_args(false);
  command
      .add_option("--context", context_tokens, "Tokens of context (default: the model's, <= 4096)")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("--threads", threads, "Compute threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option(
          "--kv", kv,
          "How keys and values are kept: auto (f32 beside f32 and f16 weights, else f16), f32, "
          "f16 or q8")
      ->check(CLI::IsMember({"auto", "f32", "f16", "q8"}));
  command.add_flag("--no-kv-cache", no_kv_cache, "Recompute everything for each token (same text)");
  command.add_flag("--no-speculation", no_speculation,
                   "One token a step, also where the text repeats itself (same text)");
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
  options.prompt_template = prompt_template;
  options.fetch.allow_hosts = allow_hosts;
  options.context_tokens = context_tokens;
  options.kv_cache = !no_kv_cache;
  options.speculation = !no_speculation;
  options.progress = terminal_progress();
  return options;
}

void SamplingFlags::add_to(CLI::App& command) {
  command.add_option("-n,--max-tokens", max_tokens, "Tokens to generate at most")
      ->check(CLI::Range(1, 1 << 20));
  command.add_option("-t,--temperature", temperature, "0: always the likeliest token")
      ->check(CLI::Range(0.0, 100.0));
  command.add_option("--top-p", top_p, "Keep the likeliest tokens up to this probability")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--top-k", top_k, "Keep the K likeliest tokens (0: all)")
      ->check(CLI::Range(0, 1 << 21));
  command
      .add_option("--min-p", min_p,
                  "Drop tokens below this share of the likeliest one's probability")
      ->check(CLI::Range(0.0, 1.0));
  command.add_option("--repetition-penalty", repetition_penalty, "1: none")
      ->check(CLI::Range(0.01, 100.0));
  command.add_option("--seed", seed, "The same seed gives the same answer");
  command.add_option("--stop", stop, "End the answer before this text (repeatable)")
      ->allow_extra_args(false);
  command.add_option("--system", system, "System text");
  command
      .add_option("--earlier", earlier,
                  "An earlier turn about the same picture: QUESTION ANSWER (repeatable)")
      ->type_name("QUESTION ANSWER")
      ->type_size(2)
      ->expected(-1)  // one pair or more; a bounded range would take the picture as well
      ->allow_extra_args(false);
  command.add_option("--deadline", deadline_seconds, "Give up after this many seconds")
      ->check(CLI::Range(0.001, 600.0));
}

Result<AskOptions> SamplingFlags::options() const {
  AskOptions options;
  options.max_new_tokens = max_tokens;
  options.temperature = temperature;
  options.top_p = top_p;
  options.top_k = top_k;
  options.min_p = min_p;
  options.repetition_penalty = repetition_penalty;
  options.seed = seed;
  options.stop = stop;
  if (deadline_seconds > 0) {
    options.deadline =
        std::chrono::milliseconds(static_cast<std::int64_t>(deadline_seconds * 1000));
  }
  return options;
}

std::vector<Message> SamplingFlags::conversation(Picture picture, std::string question) const {
  std::vector<Message> messages;
  if (!system.empty()) messages.push_back(Message::system(system));
  // The picture stands in the first message of the user.
  std::string next = earlier.size() < 2 ? std::move(question) : earlier[0];
  messages.push_back(Message::user(std::move(picture), std::move(next)));
  for (std::size_t i = 0; i + 1 < earlier.size(); i += 2) {
    messages.push_back(Message::assistant(earlier[i + 1]));
    messages.push_back(Message::user(i + 3 < earlier.size() ? earlier[i + 2] : question));
  }
  return messages;
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
  return base::make_error(ErrorCode::kNotFound,
                          "no model: the demo model is not beside this program; give --model DIR "
                          "or set OCELLUS_MODEL");
}

}  // namespace ocellus::cli
