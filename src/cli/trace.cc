// ocellus trace: every stage of one answer as tensors.
#include "vision/trace.h"

#include <fmt/format.h>

#include <memory>

#include "base/mapped_file.h"
#include "base/result.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output_file.h"
#include "cli/report.h"
#include "formats/safetensors.h"

namespace ocellus::cli {
namespace {

struct TraceCommand {
  std::string picture, question, out;
  ModelFlags model;
  SamplingFlags sampling;
  vision::TraceOptions measuring;

  Status run() const;
};

template <typename T>
formats::NamedTensor tensor(std::string name, std::string dtype, std::vector<std::int64_t> shape,
                            const std::vector<T>& values) {
  return {std::move(name), std::move(dtype), std::move(shape), std::as_bytes(std::span(values))};
}

Status TraceCommand::run() const {
  OCELLUS_ASSIGN_OR_RETURN(const ModelOptions model_options, model.options());
  OCELLUS_ASSIGN_OR_RETURN(const AskOptions ask_options, sampling.options());
  OCELLUS_ASSIGN_OR_RETURN(
      const vision::Trace t,
      vision::trace(model_options, {.threads = model.threads},
                    sampling.conversation(Picture::parse(picture), question), ask_options,
                    measuring));
  const auto generated = static_cast<std::int64_t>(t.tokens.size());
  std::vector<formats::NamedTensor> tensors = {
      tensor("pixel_values", "F32", t.pixel_shapes.front(), t.pixel_values),
      tensor("tower_features", "F32", {t.image_tokens, t.feature_width}, t.tower_features),
      tensor("image_embeddings", "F32", {t.image_tokens, t.hidden_size}, t.image_embeddings),
      tensor("input_ids", "I64", {static_cast<std::int64_t>(t.input_ids.size())}, t.input_ids),
      tensor("logits", "F32", {generated, t.vocabulary}, t.logits),
      tensor("tokens", "I64", {generated}, t.tokens),
  };
  if (measuring.prompt_logits) {
    tensors.push_back(tensor("prompt_logits", "F32",
                             {static_cast<std::int64_t>(t.input_ids.size()), t.vocabulary},
                             t.prompt_logits));
  }
  OCELLUS_RETURN_IF_ERROR(write_output_file(out, formats::write_safetensors(tensors)));
  std::string table;
  for (const formats::NamedTensor& each : tensors) {
    table += fmt::format("{:16} {} {}\n", each.name, each.dtype,
                         tensor::Shape::from(each.shape)->to_string());
  }
  return print(table);
}

}  // namespace

void add_trace(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "trace", "Write every stage of an answer as tensors, for comparing engines");
  auto flags = std::make_shared<TraceCommand>();
  command->add_option("picture", flags->picture, "Path of the picture")
      ->required()
      ->type_name("IMAGE");
  command->add_option("question", flags->question, "The question")->required()->type_name("TEXT");
  command->add_option("-o,--out", flags->out, "The safetensors file to write")
      ->required()
      ->type_name("FILE");
  command->add_flag("--all-logits", flags->measuring.prompt_logits,
                    "Write the logits of every position of the prompt too (prompt_logits)");
  command
      ->add_option("--force-tokens", flags->measuring.forced_tokens,
                   "Generate these, whatever the logits say, and nothing after them")
      ->type_name("ID,ID,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_flag("--expand-weights", flags->measuring.expand_weights,
                    "Round the weights, then compute with the rounded values in f32");
  flags->model.add_to(*command);
  flags->sampling.add_to(*command);
  command->callback([flags, &action] { action = [flags] { return exit_code(flags->run()); }; });
}

}  // namespace ocellus::cli
