#include "cli/conversion.h"

#include <utility>

#include "cli/options.h"
#include "cli/progress.h"

namespace ocellus::cli {

CLI::Option* ConversionFlags::add_to(CLI::App& command, const Words& words) {
  command.add_option("source", source, "Model folder, or a .gguf language model")
      ->required()
      ->type_name("DIR|FILE");
  command.add_option("target", target, words.target)->required()->type_name("FILE");
  command.add_option("--mmproj", mmproj, "Tower and projector of a .gguf language model")
      ->type_name("FILE");
  CLI::Option* const type = command.add_option("-w,--weights", weights, words.weights)
                                ->type_name("TYPE")
                                ->transform(weight_type_in(words.types));
  command.add_option("--tower-weights", tower_weights, words.tower_weights)
      ->type_name("TYPE")
      ->transform(weight_type_in(words.types));
  command.add_option("--threads", threads, "Compute threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  command.add_flag("--force", force, words.force);
  command.add_flag("--json", json, words.json);
  return type;
}

std::function<void(double fraction)> stage_progress(const char* stage) {
  const LoadProgress shown = load_progress(Progress::make());
  if (!shown) return {};
  return [shown, stage](double fraction) { shown(fraction, stage); };
}

}  // namespace ocellus::cli
