// ocellus quantize: a model written again as a GGUF pair, smaller.
#include "convert/quantize.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/conversion.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "tensor/weight_types.h"

namespace ocellus::cli {
namespace {

namespace bj = boost::json;
using tensor::DType;

// What a GGUF file can have.
std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const tensor::WeightTypeInfo& type : tensor::kWeightTypes)
    if (type.gguf) names.emplace_back(type.name);
  return names;
}

DType type_of(const std::string& name) {
  const tensor::WeightTypeInfo* const type = tensor::find_weight_type(name);
  return type == nullptr ? DType::kF32 : type->dtype;  // the parser has checked the name
}

struct QuantizeCommand : ConversionFlags {
  Result<convert::QuantizeSummary> quantize() const;
  Status run() const;
};

Result<convert::QuantizeSummary> QuantizeCommand::quantize() const {
  std::atomic<bool> interrupted = false;
  const InterruptGuard guard([&] { interrupted = true; });
  return convert::quantize_model({.source = source,
                                  .mmproj = mmproj,
                                  .target = target,
                                  .weights = type_of(weights),
                                  .tower_weights = type_of(tower_weights),
                                  .replace = force,
                                  .threads = threads,
                                  .progress = stage_progress("quantizing"),
                                  .stop = [&] { return interrupted.load(); }});
}

bj::object to_json(const convert::WrittenFile& file) {
  bj::object types;
  for (const auto& [name, share] : file.types)
    types.emplace(name, bj::object{{"tensors", share.tensors}, {"bytes", share.bytes}});
  return {{"path", file.path.string()}, {"bytes", file.bytes}, {"types", std::move(types)}};
}

std::string to_text(const convert::WrittenFile& file) {
  std::string types;
  for (const auto& [name, share] : file.types)
    types += fmt::format("{}{} {}", types.empty() ? "" : ", ", share.tensors, name);
  return fmt::format("{}: {}, tensors: {}\n", file.path.string(),
                     human_bytes(static_cast<double>(file.bytes)), types);
}

Status QuantizeCommand::run() const {
  const auto summary = quantize();
  if (!summary) return std::unexpected(summary.error());
  if (json) {
    return print_json({{"files", bj::array{to_json(summary->language), to_json(summary->tower)}},
                       {"source_bytes", summary->source_bytes},
                       {"bytes", summary->language.bytes + summary->tower.bytes},
                       {"seconds", summary->seconds}});
  }
  return print(to_text(summary->language) + to_text(summary->tower));
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "quantize", "Write a model again as a GGUF pair, its weights rounded to a smaller type");
  auto flags = std::make_shared<QuantizeCommand>();
  flags->tower_weights = "f16";
  flags
      ->add_to(*command,
               {.target = "NAME.gguf to write; the tower goes to mmproj-NAME.gguf beside it",
                .weights = "The language model's type",
                .tower_weights = "The tower's type (default: f16)",
                .force = "Replace files of these names",
                .json = "One JSON object: files, bytes, types, seconds",
                .types = type_names()})
      ->required();
  command->callback(
      [flags, &action] { action = [flags] { return exit_code(flags->run(), flags->json); }; });
}

}  // namespace ocellus::cli
