// ocellus pack: a model written again as one file that is mapped and never converted.
#include "vision/pack.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/json/object.hpp>
#include <memory>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/report.h"

namespace ocellus::cli {
namespace {

namespace bj = boost::json;

struct PackCommand {
  std::string source, target, mmproj, weights = "auto", tower_weights = "auto";
  int threads = 0;
  bool force = false, json = false;

  Result<vision::PackSummary> pack() const;
  int run() const;
};

Result<vision::PackSummary> PackCommand::pack() const {
  std::atomic<bool> interrupted = false;
  const InterruptGuard guard([&] { interrupted = true; });
  vision::PackOptions options{
      .source = source,
      .mmproj = mmproj,
      .target = target,
      .load = {.weights = tensor::find_dtype(weights),
               .tower_weights = tensor::find_dtype(tower_weights_for(weights, tower_weights)),
               .progress = {},
               .stop = [&] { return interrupted.load(); }},
      .replace = force,
      .threads = threads};
  if (LoadProgress progress = terminal_progress()) {
    options.load.progress = [progress = std::move(progress)](double fraction) {
      progress(fraction, "packing");
    };
  }
  return vision::pack_model(options);
}

int PackCommand::run() const {
  const auto summary = pack();
  if (!summary) return report(summary.error(), json);
  if (json) {
    bj::object types;
    for (const auto& [name, share] : summary->types)
      types.emplace(name, bj::object{{"matrices", share.matrices}, {"bytes", share.bytes}});
    print_json({{"path", target},
                {"bytes", summary->bytes},
                {"layout", summary->layout},
                {"types", std::move(types)},
                {"seconds", summary->seconds}});
    return 0;
  }
  std::string types;
  for (const auto& [name, share] : summary->types)
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", share.matrices, name);
  print(fmt::format("{}: {}, matrices: {}; {}\n", target,
                    human_bytes(static_cast<double>(summary->bytes)), types, summary->layout));
  return 0;
}

}  // namespace

void add_pack(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "pack", "Write a model again as one file that loads at once and is shared between processes");
  auto flags = std::make_shared<PackCommand>();
  command->add_option("source", flags->source, "Model folder, or a .gguf language model")
      ->required()
      ->type_name("DIR|FILE");
  command->add_option("target", flags->target, "The file to write, by custom NAME.ocellus")
      ->required()
      ->type_name("FILE");
  command->add_option("--mmproj", flags->mmproj, "Tower and projector of a .gguf language model")
      ->type_name("FILE");
  command
      ->add_option("-w,--weights", flags->weights,
                   "How weights are held: as stored (auto), or rounded to this type")
      ->type_name("TYPE")
      ->check(CLI::IsMember(weight_names()));
  command
      ->add_option("--tower-weights", flags->tower_weights,
                   "The same for tower and projector (default: as for --model)")
      ->type_name("TYPE")
      ->check(CLI::IsMember(weight_names()));
  command->add_option("--threads", flags->threads, "Compute threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--force", flags->force, "Replace a file of this name");
  command->add_flag("--json", flags->json, "One JSON object: path, bytes, layout, types, seconds");
  command->callback([flags, &action] { action = [flags] { return flags->run(); }; });
}

}  // namespace ocellus::cli
