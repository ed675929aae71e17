// ocellus trace: every stage of one answer as tensors.
#include "vision/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output_file.h"
#include "cli/progress.h"
#include "cli/prompt_flags.h"
#include "cli/report.h"
#include "formats/safetensors.h"

namespace ocellus::cli {
namespace {

// By which a trace is known again.
constexpr const char* kWriterKey = "writer";
constexpr const char* kWriter = "ocellus trace";
constexpr std::string_view kOwnMetadata = R"("writer":"ocellus trace")";

struct TraceCommand {
  std::string out;
  bool force = false;
  PromptFlags prompt;
  ModelFlags model;
  SamplingFlags sampling;
  ProgressFlags progress;
  vision::TraceOptions measuring;

  Status run() const;
};

template <typename T>
formats::NamedTensor tensor(std::string name, std::string dtype, std::vector<std::int64_t> shape,
                            const std::vector<T>& values) {
  return {std::move(name), std::move(dtype), std::move(shape), std::as_bytes(std::span(values))};
}

// What the tower took. Of models with one input for each image: of one image as the processor gives
// it; several one after the other, on an axis of their own where all have one shape, else each as a
// tensor.
std::vector<formats::NamedTensor> pixels_of_images(const vision::Trace& t) {
  const auto& shapes = t.pixel_shapes;
  if (std::ranges::all_of(shapes, [&](const auto& shape) { return shape == shapes.front(); })) {
    std::vector<std::int64_t> shape = shapes.front();
    if (shapes.size() > 1) shape.insert(shape.begin(), std::ssize(shapes));
    return {tensor("pixel_values", "F32", std::move(shape), t.pixel_values)};
  }
  std::vector<formats::NamedTensor> tensors;
  auto rest = std::as_bytes(std::span(t.pixel_values));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    std::size_t bytes = sizeof(float);
    for (const std::int64_t size : shapes[i]) bytes *= static_cast<std::size_t>(size);
    tensors.push_back({fmt::format("pixel_values.{}", i), "F32", shapes[i], rest.first(bytes)});
    rest = rest.subspan(bytes);
  }
  return tensors;
}

// Each image's inputs, filled up with zeros to the most that one has.
void pad_inputs(vision::Trace& t, std::int64_t most) {
  const std::size_t each = t.pixel_values.size() / t.pixel_shapes.size();
  std::vector<float> padded;
  auto from = t.pixel_values.begin();
  for (const std::int64_t inputs : t.image_inputs) {
    const auto end = from + static_cast<std::ptrdiff_t>(each) * inputs;
    padded.insert(padded.end(), from, end);
    padded.resize(padded.size() + each * static_cast<std::size_t>(most - inputs));
    from = end;
  }
  t.pixel_values = std::move(padded);
}

// In the shape of the reference's processor.
std::vector<formats::NamedTensor> pixel_tensors(vision::Trace& t) {
  using enum models::PixelShape;
  if (t.pixel_shapes.empty()) return {};
  if (t.pixel_shape == kPictures) return pixels_of_images(t);
  std::vector<std::int64_t> shape = t.pixel_shapes.front();
  if (t.pixel_shape == kPatches) {
    for (std::size_t i = 1; i < t.pixel_shapes.size(); ++i) shape[0] += t.pixel_shapes[i][0];
    return {tensor("pixel_values", "F32", std::move(shape), t.pixel_values),
            tensor("image_grid_thw", "I64", {std::ssize(t.image_inputs), 3}, t.image_grids)};
  }
  if (t.pixel_shape == kPicturesOfInputs) {
    const std::int64_t most = std::ranges::max(t.image_inputs);
    pad_inputs(t, most);
    shape.insert(shape.begin(), {std::ssize(t.image_inputs), most});
  } else {
    shape.insert(shape.begin(), std::ssize(t.pixel_shapes));
    if (t.pixel_shape == kBatchOfInputs) shape.insert(shape.begin(), 1);
  }
  std::vector<formats::NamedTensor> tensors = {
      tensor("pixel_values", "F32", std::move(shape), t.pixel_values)};
  if (t.pixel_shape == kPicturesOfInputs) {
    tensors.push_back(tensor("image_sizes", "I64", {std::ssize(t.image_inputs), 2}, t.image_sizes));
  }
  return tensors;
}

Status TraceCommand::run() const {
  const OutputRules rules{.force = force, .is_own = [](std::string_view head) {
                            return head.find(kOwnMetadata) != std::string_view::npos;
                          }};
  OCELLUS_RETURN_IF_ERROR(check_output_file(out, rules));
  OCELLUS_ASSIGN_OR_RETURN(ModelOptions model_options, model.options());
  model_options.progress = load_progress(Progress::make(progress));
  OCELLUS_ASSIGN_OR_RETURN(const AskOptions ask_options, sampling.options());
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<Message> messages, prompt.messages());
  OCELLUS_ASSIGN_OR_RETURN(vision::Trace t, vision::trace(model_options, {.threads = model.threads},
                                                          messages, ask_options, measuring));
  const auto generated = static_cast<std::int64_t>(t.tokens.size());
  std::vector<formats::NamedTensor> tensors = pixel_tensors(t);
  if (t.image_tokens > 0) {
    const std::int64_t rows = std::ssize(t.tower_features) / t.feature_width;
    tensors.push_back(tensor("tower_features", "F32", {rows, t.feature_width}, t.tower_features));
    tensors.push_back(
        tensor("image_embeddings", "F32", {t.image_tokens, t.hidden_size}, t.image_embeddings));
  }
  tensors.push_back(
      tensor("input_ids", "I64", {static_cast<std::int64_t>(t.input_ids.size())}, t.input_ids));
  tensors.push_back(tensor("logits", "F32", {generated, t.vocabulary}, t.logits));
  tensors.push_back(tensor("tokens", "I64", {generated}, t.tokens));
  if (measuring.prompt_logits) {
    tensors.push_back(tensor("prompt_logits", "F32",
                             {static_cast<std::int64_t>(t.input_ids.size()), t.vocabulary},
                             t.prompt_logits));
  }
  OCELLUS_RETURN_IF_ERROR(
      write_output_file(out, formats::write_safetensors(tensors, {{kWriterKey, kWriter}}), rules));
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
  flags->prompt.add_to(*command);
  command->add_option("-o,--out", flags->out, "The safetensors file to write")
      ->required()
      ->type_name("FILE")
      ->group("Output");
  command->add_flag("--force", flags->force, "Replace a file that is no trace, write into a pipe")
      ->group("Output");
  command
      ->add_flag("--all-logits", flags->measuring.prompt_logits,
                 "Write the logits of every position of the prompt too (prompt_logits)")
      ->group("Output");
  command
      ->add_option("--force-tokens", flags->measuring.forced_tokens,
                   "Generate these, whatever the logits say, and nothing after them")
      ->type_name("ID,ID,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("Answer");
  command
      ->add_flag("--expand-weights", flags->measuring.expand_weights,
                 "Round the weights, then compute with the rounded values in f32")
      ->group("Model");
  flags->sampling.add_to(*command);
  flags->model.add_to(*command);
  flags->progress.add_to(*command);
  command->callback([flags, &action] { action = [flags] { return exit_code(flags->run()); }; });
}

}  // namespace ocellus::cli
