// ocellus pack: a model written again as one file that is mapped and never converted.
#include "convert/pack.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/json/object.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/conversion.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/report.h"

namespace ocellus::cli {
namespace {

namespace bj = boost::json;

struct PackCommand : ConversionFlags {
  Result<convert::PackSummary> pack() const;
  Status run() const;
};

Result<convert::PackSummary> PackCommand::pack() const {
  std::atomic<bool> interrupted = false;
  const InterruptGuard guard([&] { interrupted = true; });
  return convert::pack_model(
      {.source = source,
       .mmproj = mmproj,
       .target = target,
       .load = {.weights = tensor::find_dtype(weights),
                .tower_weights = tensor::find_dtype(tower_weights_for(weights, tower_weights)),
                .progress = stage_progress("packing"),
                .stop = [&] { return interrupted.load(); }},
       .replace = force,
       .threads = threads});
}

Status PackCommand::run() const {
  const auto summary = pack();
  if (!summary) return std::unexpected(summary.error());
  if (json) {
    bj::object types;
    for (const auto& [name, share] : summary->types)
      types.emplace(name, bj::object{{"matrices", share.matrices}, {"bytes", share.bytes}});
    return print_json({{"path", target},
                       {"bytes", summary->bytes},
                       {"layout", summary->layout},
                       {"types", std::move(types)},
                       {"seconds", summary->seconds}});
  }
  std::string types;
  for (const auto& [name, share] : summary->types)
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", share.matrices, name);
  return print(fmt::format("{}: {}, matrices: {}; {}\n", target,
                           human_bytes(static_cast<double>(summary->bytes)), types,
                           summary->layout));
}

}  // namespace

void add_pack(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "pack", "Write a model again as one file that loads at once and is shared between processes");
  auto flags = std::make_shared<PackCommand>();
  flags->weights = flags->tower_weights = "auto";
  flags->add_to(*command,
                {.target = "The file to write, by custom NAME.ocellus",
                 .weights = "How weights are held: as stored (auto), or rounded to this type",
                 .tower_weights = "The same for tower and projector (default: as for --model)",
                 .force = "Replace a file of this name",
                 .json = "One JSON object: path, bytes, layout, types, seconds",
                 .types = weight_names()});
  command->callback(
      [flags, &action] { action = [flags] { return exit_code(flags->run(), flags->json); }; });
}

}  // namespace ocellus::cli
