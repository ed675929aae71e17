#include "benchmark/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "base/result.h"
#include "benchmark/interference.h"
#include "benchmark/repeat.h"
#include "benchmark/scale.h"
#include "benchmark/stepper.h"
#include "compute/profiling_backend.h"
#include "models/families.h"
#include "models/random_checkpoint.h"

namespace ocellus::benchmark {
namespace {

using base::make_error;
using tensor::DType;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kQuestionTokens = 16;  // beside the picture's, in "first_token"
constexpr std::int64_t kMaxPositions = std::int64_t{1} << 20;

struct Source {
  models::RandomCheckpoint made;  // or
  models::Checkpoint read;
  bool random = false;
  std::int64_t full_layers = 0;
  models::LoadOptions load;

  const models::Checkpoint& checkpoint() const { return random ? made.checkpoint : read; }
};

// Types that no file has are made while loading, from f16 as they would be from a file.
bool in_files(DType type) { return type != DType::kQ8 && type != DType::kQ4; }

Result<Source> open_random(const ModelSource& requested) {
  const models::RandomModel* const model = models::find_random_model(requested.random);
  if (model == nullptr) {
    return make_error(ErrorCode::kInvalidArgument, "random model: expected {}, found {}",
                      fmt::join(models::random_model_names(), ", "), requested.random);
  }
  Source source;
  source.random = true;
  source.full_layers = model->layers;
  if (requested.layers > model->layers) {
    return make_error(ErrorCode::kInvalidArgument, "layers: {}: expected at most {}, found {}",
                      model->name, model->layers, requested.layers);
  }
  const DType weights = requested.weights.value_or(DType::kQ8_0);
  const DType tower =
      requested.tower_weights.value_or(tensor::is_quantized(weights) ? DType::kBF16 : weights);
  // Blocks are held as they are stored, as a file's are. Plain types are asked for: bf16 then is
  // multiplied as such.
  if (!in_files(weights) || tensor::is_plain_float(weights)) source.load.weights = weights;
  if (!in_files(tower) || tensor::is_plain_float(tower)) source.load.tower_weights = tower;
  OCELLUS_ASSIGN_OR_RETURN(source.made,
                           models::make_random_checkpoint(model->config(requested.layers),
                                                          in_files(weights) ? weights : DType::kF16,
                                                          in_files(tower) ? tower : DType::kF16));
  return source;
}

Result<Source> open(const ModelSource& requested) {
  if (!requested.random.empty()) return open_random(requested);
  if (requested.layers > 0) {
    return make_error(ErrorCode::kInvalidArgument, "fewer layers: only of a random model");
  }
  Source source;
  OCELLUS_ASSIGN_OR_RETURN(source.read, models::load_checkpoint(requested.path, requested.mmproj));
  source.load.weights = requested.weights;
  source.load.tower_weights = requested.tower_weights;
  return source;
}

class ModelBench {
 public:
  ModelBench(const compute::Backend& backend, PeaksAround& peaks, const ModelBenchOptions& options)
      : backend_(backend), peaks_(peaks), options_(options) {}

  Result<ModelReport> run(const ModelSource& requested);

 private:
  // The picture's part and the language model's part of one piece of work.
  struct Part {
    bool language;
    std::function<Status()> body;
  };
  struct Timed {
    double seconds = 0;
    std::vector<compute::OpProfile> operations;
    std::vector<Demand> demands;  // of each part
  };

  bool wants(std::string_view work) const {
    return std::ranges::find(options_.work, work) != options_.work.end();
  }
  Status load(const ModelSource& requested);
  Status measure_all();
  Status measure_others();
  Status measure_repeat();
  Result<Timed> run_once(const std::vector<Part>& parts);
  Status measure(BenchResult result, const std::vector<Part>& parts);
  Status measure_prompt(const std::string& work, std::int64_t tokens, bool with_picture);
  Status measure_step(const std::string& work, std::int64_t streams);

  compute::ProfilingBackend backend_;
  PeaksAround& peaks_;
  const ModelBenchOptions& options_;
  std::unique_ptr<models::Model> model_;
  std::unique_ptr<Stepper> stepper_;
  Scale scale_;
  ModelReport report_;
  std::string weights_;  // the name of the type of most of the language model's layers
};

Status ModelBench::load(const ModelSource& requested) {
  if (options_.on_stage) options_.on_stage("load");
  auto begin = Clock::now();
  OCELLUS_ASSIGN_OR_RETURN(Source source, open(requested));
  if (source.random) begin = Clock::now();  // making random values is no part of loading
  source.load.progress = options_.load_progress;
  const models::Checkpoint& checkpoint = source.checkpoint();
  OCELLUS_ASSIGN_OR_RETURN(const auto description, models::describe_model(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(model_, description->load(backend_, source.load));
  const double seconds = seconds_since(begin);
  const models::LanguageFacts& language = model_->language().facts();
  scale_ = {.layers = language.layers,
            .full_layers = source.random ? source.full_layers : language.layers,
            .vocabulary = language.vocab_size,
            .hidden = language.hidden_size};
  report_.name = requested.random.empty() ? requested.path.string() : requested.random;
  report_.layers = scale_.full_layers;
  report_.from_layers = scale_.applies() ? language.layers : 0;
  report_.weight_bytes = models::weight_bytes(description->tensors(), source.load);
  // The engine's own choice.
  const bool fast = language.arithmetic == compute::Arithmetic::kReducedPrecision;
  OCELLUS_ASSIGN_OR_RETURN(
      stepper_, Stepper::create(*model_, options_.kv.value_or(fast ? DType::kF16 : DType::kF32)));
  // One step: every page of the weights has been seen, and the types that the layers are held in.
  OCELLUS_RETURN_IF_ERROR(stepper_->reserve(1, 1));
  backend_.clear();
  OCELLUS_RETURN_IF_ERROR(stepper_->step(1, 0));
  std::vector<compute::OpProfile> operations = backend_.profile();
  std::erase_if(operations, [&](const auto& op) { return scale_.once(op); });
  weights_ = tensor::dtype_name(demand_of(operations).weights);
  if (!wants("load")) return {};
  double stored = 0, layers = 0;
  for (const models::TensorSpec& spec : description->tensors().table().specs()) {
    const models::StoredTensor* const tensor = description->tensors().find(spec.name);
    if (tensor == nullptr) continue;
    stored += static_cast<double>(tensor->data.size());
    if (spec.name.starts_with("language.layers."))
      layers += static_cast<double>(tensor->data.size());
  }
  // Loading copies: its time follows the bytes.
  const double more = scale_.applies() ? 1 + layers * (scale_.factor() - 1) / stored : 1;
  const double moved = (stored + static_cast<double>(report_.weight_bytes)) * more;
  OCELLUS_ASSIGN_OR_RETURN(const compute::cpu::Peaks peaks, peaks_.nearest());
  BenchResult result{.work = "load", .weights = weights_, .value = seconds * more, .unit = "s"};
  result.limit = moved / peaks.read.all / 1e9;
  result.limit_of = "read";
  result.from_layers = report_.from_layers;
  result.run_seconds = result.value;
  result.peaks = peaks;
  result.keep_limit();
  report_.results.push_back(std::move(result));
  return {};
}

Result<ModelBench::Timed> ModelBench::run_once(const std::vector<Part>& parts) {
  Timed timed;
  for (const Part& part : parts) {
    backend_.clear();
    const auto begin = Clock::now();
    OCELLUS_RETURN_IF_ERROR(part.body());
    double seconds = seconds_since(begin);
    std::vector<compute::OpProfile> operations = backend_.profile();
    if (part.language) scale_.apply(seconds, operations);
    timed.seconds += seconds;
    timed.demands.push_back(demand_of(operations));
    timed.operations.insert(timed.operations.end(), operations.begin(), operations.end());
  }
  return timed;
}

// The best of several runs, beside the limit of each part at the peaks around them.
Status ModelBench::measure(BenchResult result, const std::vector<Part>& parts) {
  if (options_.on_stage) {
    options_.on_stage(result.tokens > 1 ? fmt::format("{} {}", result.work, result.tokens)
                                        : result.work);
  }
  Timed best;
  double spent = 0;
  const auto begin = Clock::now();
  for (int run = 0; run < std::max(1, options_.effort.repeat) || spent < options_.effort.seconds;
       ++run) {
    OCELLUS_ASSIGN_OR_RETURN(Timed timed, run_once(parts));
    if (run == 0 || timed.seconds < best.seconds) best = std::move(timed);
    spent = seconds_since(begin);
  }
  OCELLUS_ASSIGN_OR_RETURN(const compute::cpu::Peaks peaks, peaks_.nearest());
  double limit_seconds = 0, largest = -1;
  for (const Demand& demand : best.demands) {
    const Limit limit =
        result.work == "decode" ? read_limit(demand, peaks) : larger_limit(demand, peaks);
    limit_seconds += limit.seconds;
    if (limit.seconds > largest) {
      largest = limit.seconds;
      result.limit_of = limit.name;
    }
  }
  result.weights =
      parts.back().language ? weights_ : tensor::dtype_name(best.demands.back().weights);
  if (parts.back().language) result.from_layers = report_.from_layers;
  const double amount = static_cast<double>(result.tokens * result.streams);
  const bool rate = result.unit == "tokens/s";
  result.value = rate ? amount / best.seconds : best.seconds;
  result.limit = rate ? amount / limit_seconds : limit_seconds;
  result.run_seconds = best.seconds;
  result.peaks = peaks;
  result.operations = std::move(best.operations);
  result.keep_limit();
  report_.results.push_back(std::move(result));
  return {};
}

Status ModelBench::measure_prompt(const std::string& work, std::int64_t tokens, bool with_picture) {
  OCELLUS_RETURN_IF_ERROR(stepper_->reserve(1, tokens));
  std::vector<Part> parts;
  if (with_picture) parts.push_back({false, [this] { return stepper_->picture(); }});
  parts.push_back({true, [=, this] { return stepper_->prompt(tokens, with_picture); }});
  BenchResult result{.work = work, .tokens = tokens};
  result.unit = with_picture ? "s" : "tokens/s";
  return measure(std::move(result), parts);
}

Status ModelBench::measure_step(const std::string& work, std::int64_t streams) {
  OCELLUS_RETURN_IF_ERROR(stepper_->reserve(streams, options_.context + 1));
  BenchResult result{.work = work, .tokens = 1, .streams = streams, .unit = "tokens/s"};
  return measure(std::move(result),
                 {{true, [=, this] { return stepper_->step(streams, options_.context); }}});
}

Status ModelBench::measure_others() {
  if (options_.on_stage) options_.on_stage("interference");
  const InterferenceOptions options;
  const auto begin = Clock::now();
  OCELLUS_ASSIGN_OR_RETURN(const Interference found, measure_interference(*model_, options));
  BenchResult result{.work = "interference", .weights = weights_, .unit = "ms"};
  result.tokens = options.prompt_tokens;
  result.value = 1e3 * found.sliced_seconds;
  result.before = 1e3 * found.unsliced_seconds;
  result.limit = static_cast<double>(options.slice.count()) + 1e3 * found.step_seconds;
  result.limit_of = "slice";
  result.run_seconds = seconds_since(begin);
  OCELLUS_ASSIGN_OR_RETURN(result.peaks, peaks_.nearest());
  report_.results.push_back(std::move(result));
  return {};
}

// A picture for the first time, and then once more with another question.
Status ModelBench::measure_repeat() {
  OCELLUS_ASSIGN_OR_RETURN(RepeatedPicture asked, RepeatedPicture::create(*model_));
  const auto begin = Clock::now();
  OCELLUS_RETURN_IF_ERROR(asked.first(kQuestionTokens));
  const double first = seconds_since(begin);
  OCELLUS_RETURN_IF_ERROR(measure({.work = "repeat", .tokens = kQuestionTokens, .unit = "s"},
                                  {{false, [&] { return asked.again(kQuestionTokens); }}}));
  report_.results.back().weights = weights_;
  report_.results.back().before = first;
  return {};
}

Status ModelBench::measure_all() {
  if (wants("tower")) {
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t rows, stepper_->prepare_picture());
    BenchResult result{.work = "tower", .tokens = rows, .unit = "s"};
    OCELLUS_RETURN_IF_ERROR(
        measure(std::move(result), {{false, [this] { return stepper_->picture(); }}}));
  }
  if (wants("prefill")) {
    for (const std::int64_t tokens : options_.tokens)
      OCELLUS_RETURN_IF_ERROR(measure_prompt("prefill", tokens, false));
  }
  if (wants("decode")) OCELLUS_RETURN_IF_ERROR(measure_step("decode", 1));
  if (wants("batch")) OCELLUS_RETURN_IF_ERROR(measure_step("batch", options_.streams));
  if (wants("first_token")) {
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t rows, stepper_->prepare_picture());
    OCELLUS_RETURN_IF_ERROR(measure_prompt("first_token", rows + kQuestionTokens, true));
  }
  if (wants("repeat")) OCELLUS_RETURN_IF_ERROR(measure_repeat());
  if (wants("interference")) OCELLUS_RETURN_IF_ERROR(measure_others());
  return {};
}

Status check(const ModelBenchOptions& options) {
  const std::vector<std::string> known = all_model_works();
  for (const std::string& work : options.work) {
    if (std::ranges::find(known, work) == known.end()) {
      return make_error(ErrorCode::kInvalidArgument, "work: expected {}, found {}",
                        fmt::join(known, ", "), work);
    }
  }
  for (const std::int64_t tokens : options.tokens) {
    if (tokens < 1 || tokens > kMaxPositions) {
      return make_error(ErrorCode::kInvalidArgument, "tokens: expected 1 to {}, found {}",
                        kMaxPositions, tokens);
    }
  }
  if (options.context < 0 || options.context >= kMaxPositions || options.streams < 1 ||
      options.streams > 1024) {
    return make_error(ErrorCode::kInvalidArgument,
                      "expected a context of 0 to {} and 1 to 1024 streams, found {} and {}",
                      kMaxPositions - 1, options.context, options.streams);
  }
  return {};
}

Result<ModelReport> ModelBench::run(const ModelSource& requested) {
  OCELLUS_RETURN_IF_ERROR(load(requested));
  OCELLUS_RETURN_IF_ERROR(measure_all());
  return std::move(report_);
}

}  // namespace

std::vector<std::string> model_works() {
  return {"load", "tower", "prefill", "decode", "batch", "first_token"};
}

std::vector<std::string> all_model_works() {
  std::vector<std::string> works = model_works();
  works.insert(works.end(), {"repeat", "interference"});
  return works;
}

Result<ModelReport> run_model(const compute::Backend& backend, PeaksAround& peaks,
                              const ModelSource& source, const ModelBenchOptions& options) {
  OCELLUS_RETURN_IF_ERROR(check(options));
  return ModelBench(backend, peaks, options).run(source);
}

}  // namespace ocellus::benchmark
