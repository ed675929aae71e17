// ocellus bench: what the machine can do, and how much of that is used.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "benchmark/linear.h"
#include "benchmark/model.h"
#include "cli/bench_report.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "compute/cpu/cpu_backend.h"
#include "compute/cpu/peaks.h"
#include "models/families.h"
#include "tensor/weight_types.h"

namespace ocellus::cli {
namespace {

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const tensor::WeightTypeInfo& type : tensor::kWeightTypes) names.emplace_back(type.name);
  return names;
}

// Nothing for "auto", and for names that the option's check has refused.
std::optional<tensor::DType> type_of(const std::string& name) {
  const tensor::WeightTypeInfo* const type = tensor::find_weight_type(name);
  return type == nullptr ? std::nullopt : std::optional(type->dtype);
}

std::vector<std::string> with(std::vector<std::string> names, const char* more) {
  names.emplace_back(more);
  return names;
}

struct BenchCommand {
  std::string model, mmproj, random, weights = "auto", tower_weights = "auto", kv = "auto";
  std::vector<std::string> work;
  std::vector<std::int64_t> tokens;
  benchmark::ModelSource source;
  benchmark::ModelBenchOptions options;
  benchmark::LinearOptions linear;
  int threads = 0;
  bool kernels = false, profile = false, json = false;

  void add_to(CLI::App& command);
  Status run();

 private:
  bool wants_model() const {
    return !model.empty() || !random.empty() || !kernels || !options.work.empty();
  }
  void settle();
  Result<BenchReport> measure();
};

void BenchCommand::add_to(CLI::App& command) {
  command
      .add_option("-m,--model", model, "Model folder, a .gguf language model, or a packed model")
      ->type_name("DIR|FILE");
  command.add_option("--mmproj", mmproj, "Tower and projector of a .gguf language model")
      ->type_name("FILE");
  command
      .add_option("--random", random,
                  "A model of well-known sizes with random weights, made in memory without any "
                  "file (default, where there is no --model: tinyllama-1.1b)")
      ->type_name("NAME")
      ->check(CLI::IsMember(models::random_model_names()))
      ->excludes("--model");
  command
      .add_option("--weights", weights,
                  "How weights are held: as stored (auto; q8_0 for --random), or this type")
      ->type_name("TYPE")
      ->transform(weight_type_in(with(type_names(), "auto")));
  command
      .add_option("--tower-weights", tower_weights,
                  "The same for tower and projector (auto: as stored; with --random as --weights, "
                  "or bf16 where that is a block type)")
      ->type_name("TYPE")
      ->transform(weight_type_in(with(type_names(), "auto")));
  command
      .add_option("--layers", source.layers,
                  "Make only N layers of a --random language model, and scale results to all")
      ->type_name("N")
      ->check(CLI::Range(1, 1024))
      ->excludes("--model");
  command
      .add_option("--work", work,
                  "What to measure, of load, tower, prefill, decode, batch, first_token, linear "
                  "(default: all but linear)")
      ->type_name("WORK,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::IsMember(with(benchmark::all_model_works(), "linear")));
  command.add_flag("--kernels", kernels,
                   "Linear layers alone, of every type: the same as --work linear");
  command.add_flag("--profile", profile, "Say where the time of each piece of work goes");
  command
      .add_option("--tokens", tokens,
                  "Lengths of the prompts of prefill (default: 512); the first is the rows of "
                  "linear's large product too (default: 576)")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Range(2, 1 << 17));
  command
      .add_option("--context", options.context,
                  "Tokens that decode and batch have behind them (default: 512)")
      ->check(CLI::Range(0, 1 << 17));
  command.add_option("--streams", options.streams, "Streams of batch (default: 8)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--kv", kv,
                  "How keys and values are cached (auto: as `ocellus ask` does, f32 or f16)")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"auto", "f32", "f16", "q8"}));
  command.add_option("--threads", threads, "Compute threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  command
      .add_option("--seconds", options.effort.seconds,
                  "Time for each figure, of which the best run counts (default: 1)")
      ->check(CLI::Range(0.01, 600.0));
  command
      .add_option("--repeat", options.effort.repeat, "Runs of each figure at least (default: 2)")
      ->check(CLI::Range(1, 1000));
  command.add_option("--out", linear.out, "linear: rows of the weight (default: 4096)")
      ->check(CLI::Range(1, 65536));
  command.add_option("--in", linear.in, "linear: columns of the weight (default: 4096)")
      ->check(CLI::Range(1, 65536));
  command.add_flag("--json", json, "One JSON object");
}

void BenchCommand::settle() {
  if (std::erase(work, "linear") > 0) kernels = true;
  options.work = work;
  if (wants_model() && options.work.empty()) options.work = benchmark::model_works();
  if (!tokens.empty()) {
    options.tokens = tokens;
    linear.tokens = tokens.front();
  }
  linear.effort = options.effort;
  // "q8" is one byte for each value, which the cache's geometry calls q8_0.
  options.kv = kv == "q8" ? tensor::DType::kQ8_0 : type_of(kv);
  source.path = model;
  source.mmproj = mmproj;
  source.random = model.empty() && random.empty() ? "tinyllama-1.1b" : random;
  source.weights = type_of(weights);
  source.tower_weights = type_of(tower_weights);
}

Result<BenchReport> BenchCommand::measure() {
  compute::cpu::CpuOptions cpu{.threads = threads};
  if (const char* name = std::getenv("OCELLUS_ISA"); name != nullptr)
    cpu.isa = compute::cpu::parse_isa(name).value_or(compute::cpu::Isa::kAuto);
  OCELLUS_ASSIGN_OR_RETURN(const std::shared_ptr<const compute::Backend> backend,
                           compute::cpu::make_cpu_backend(cpu));
  // As much as is read in the time given at the least bandwidth that matters; a short look reads
  // less than a gigabyte, and says less.
  constexpr double kMinBytes = 64 << 20, kMaxBytes = 1 << 30, kBytesPerSecond = 4e9;
  const double bytes = std::clamp(options.effort.seconds * kBytesPerSecond, kMinBytes, kMaxBytes);
  OCELLUS_ASSIGN_OR_RETURN(const std::unique_ptr<compute::cpu::PeakMeter> meter,
                           compute::cpu::PeakMeter::create(cpu, static_cast<std::size_t>(bytes)));
  BenchReport report;
  report.machine = backend->describe();
  const benchmark::OnStage on_stage = stage_line();
  if (on_stage) on_stage("the machine's peaks");
  OCELLUS_ASSIGN_OR_RETURN(report.peaks, meter->measure(std::min(options.effort.seconds, 0.25)));
  benchmark::PeaksAround peaks(*meter, report.peaks, options.effort.peak_seconds());
  if (kernels) {
    OCELLUS_ASSIGN_OR_RETURN(report.results,
                             benchmark::run_linear(*backend, peaks, linear, on_stage));
  }
  if (wants_model()) {
    options.on_stage = on_stage;
    if (on_stage) {
      options.load_progress = [on_stage, shown = -1](double fraction) mutable {
        const int percent = static_cast<int>(100 * fraction);
        if (std::exchange(shown, percent) != percent) on_stage(fmt::format("load {} %", percent));
      };
    }
    OCELLUS_ASSIGN_OR_RETURN(auto measured, benchmark::run_model(*backend, peaks, source, options));
    std::ranges::move(measured.results, std::back_inserter(report.results));
    measured.results.clear();
    report.model = std::move(measured);
  }
  report.peaks = peaks.best();
  if (on_stage) on_stage("");
  report.peak_rss_bytes = peak_memory() - std::min(peak_memory(), meter->bytes());
  return report;
}

Status BenchCommand::run() {
  settle();
  OCELLUS_ASSIGN_OR_RETURN(const BenchReport report, measure());
  return json ? print_json(to_json(report, profile)) : print(to_text(report, profile));
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "bench", "Measure the machine's limits and the share of them that is used");
  command->footer(
      "Every figure stands beside the limit that the machine's own peaks set for it, measured "
      "just\n"
      "before and after it: arithmetic (f32, bf16 or int8, as the weights are multiplied) for "
      "tower\n"
      "and prefill, reading the weights and cached keys and values for decode, the larger of the\n"
      "two for batch, the sum of its parts for first_token.\n"
      "\n"
      "  ocellus bench                                       the peaks, and a small model\n"
      "  ocellus bench --random llava-1.5-7b --weights q4_k  a large one, without its file\n"
      "  ocellus bench --random llava-1.5-7b --layers 4      the same in a few seconds, scaled\n"
      "  ocellus bench --model DIR --work prefill --tokens 512,4096 --profile\n");
  auto flags = std::make_shared<BenchCommand>();
  flags->add_to(*command);
  command->callback(
      [flags, &action] { action = [flags] { return exit_code(flags->run(), flags->json); }; });
}

}  // namespace ocellus::cli
