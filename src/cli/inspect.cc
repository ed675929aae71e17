// ocellus inspect: what a model or a picture is, before anything is run.
#include <fmt/format.h>

#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>

#include "base/read_file.h"
#include "base/result.h"
#include "cli/commands.h"
#include "cli/inspect_gguf.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/picture_argument.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "image/image.h"
#include "models/checkpoint.h"
#include "models/families.h"
#include "models/hub_cache.h"
#include "models/ollama_store.h"
#include "models/packed_checkpoint.h"

namespace ocellus::cli {
namespace {

namespace bj = boost::json;

struct InspectCommand {
  std::string subject;
  ModelFlags model;
  bool verify = false, tensors = false, json = false;

  Status run() const;
  Status verify_packed() const;
  Status inspect_model() const;
  Status inspect_picture() const;
};

bj::string text(std::string_view s) { return bj::string(s.data(), s.size()); }

// Bytes of keys and values for one token, in f32.
std::int64_t kv_bytes_per_token(const models::ModelSummary::Language& language) {
  return language.kv_values() * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t usual_context(const models::ModelSummary::Language& language) {
  return std::min<std::int64_t>(language.max_position, 4096);
}

// Of a language model whose tower was named or stands beside it; nothing for another file, or for
// two that are no pair.
std::optional<PairMemory> pair_memory(const std::string& path, const std::string& mmproj) {
  const auto c = models::load_checkpoint(path, mmproj);
  if (!c || c->files.size() < 2) return std::nullopt;
  const auto description = models::describe_model(*c);
  if (!description) return std::nullopt;
  const models::ModelSummary::Language& language = (*description)->summary().language;
  const std::int64_t context = usual_context(language);
  return PairMemory{.mmproj = c->files.back().path().string(),
                    .weight_bytes = models::weight_bytes((*description)->tensors(), {}),
                    .kv_cache_bytes = kv_bytes_per_token(language) * context,
                    .context_tokens = context};
}

Status InspectCommand::inspect_model() const {
  OCELLUS_ASSIGN_OR_RETURN(const models::Checkpoint c,
                           models::load_checkpoint(subject, model.mmproj));
  OCELLUS_ASSIGN_OR_RETURN(const auto description, models::describe_model(c));
  const models::ModelSummary& summary = description->summary();
  const models::ModelSummary::Tower& tower = summary.tower;
  const models::ModelSummary::Language& language = summary.language;
  const std::size_t weights = models::weight_bytes(description->tensors(), {});
  const std::int64_t parameters = description->tensors().parameters();
  std::vector<const models::StoredTensor*> stored;
  for (const auto* tensors : {&c.tensors, &c.tower_tensors})
    for (const auto& [name, tensor] : *tensors) stored.push_back(&tensor);
  bj::array listed;
  for (const models::StoredTensor* tensor : stored) {
    bj::array shape(tensor->shape.dims().begin(), tensor->shape.dims().end());
    listed.push_back({{"name", tensor->name},
                      {"dtype", tensor->type},
                      {"shape", std::move(shape)},
                      {"bytes", tensor->data.size()}});
  }
  const auto assumed = description->assumed();
  const std::int64_t context = usual_context(language);
  const std::int64_t cache = kv_bytes_per_token(language) * context;
  const std::int64_t usual = summary.usual_rows > 0 ? summary.usual_rows : summary.image_rows;
  if (json) {
    return print_json(
        {{"kind", "model"},
         {"path", subject},
         {"model_type", summary.family},
         {"tower",
          {{"kind", tower.name},
           {"image_size", tower.image_size > 0 ? bj::value(tower.image_size) : bj::value()},
           {"patch_size", tower.patch_size},
           {"layers", tower.layers},
           {"hidden_size", tower.hidden_size},
           {"heads", tower.heads}}},
         {"language",
          {{"kind", language.name},
           {"layers", language.layers},
           {"hidden_size", language.hidden_size},
           {"intermediate_size", language.intermediate_size},
           {"heads", language.heads},
           {"kv_heads", language.kv_heads},
           {"head_dim", language.head_dim},
           {"vocabulary", language.vocab_size},
           {"max_position", language.max_position}}},
         {"image_tokens", usual},
         {"unbounded_image_tokens", summary.image_rows},
         {"assumed", bj::array(assumed.begin(), assumed.end())},
         {"parameters", parameters},
         {"weight_bytes", weights},
         {"kv_cache_bytes", cache},
         {"state_bytes", language.state_bytes},
         {"context_tokens", context},
         {"has_chat_template", c.chat_template.has_value()},
         {"packed", c.packed ? bj::value(text(c.packed->layout)) : bj::value()},
         {"verified", verify},
         {"tensors", std::move(listed)}});
  }
  std::string report = fmt::format(
      "{}: {}\n"
      "  tower       {} {} layers, width {}, {} heads, {} in patches of {}\n"
      "  language    {} {} layers, width {}, {} heads ({} key-value) of {}, vocabulary {}, up to "
      "{} tokens\n"
      "  picture     {}{} tokens{}\n"
      "  parameters  {:.1f} million in {} tensors\n"
      "  memory      {} weights {}, {} key-value cache for {} tokens{}\n"
      "  template    {}\n",
      subject, one_line(summary.family), tower.name, tower.layers, tower.hidden_size, tower.heads,
      tower.image_size > 0 ? fmt::format("{0} x {0} pixels", tower.image_size)
                           : "pictures of any size",
      tower.patch_size, language.name, language.layers, language.hidden_size, language.heads,
      language.kv_heads, language.head_dim, language.vocab_size, language.max_position,
      summary.several_rows ? "up to " : "", usual,
      usual < summary.image_rows ? fmt::format(", {} with --image-tokens model", summary.image_rows)
                                 : "",
      static_cast<double>(parameters) / 1e6, stored.size(),
      human_bytes(static_cast<double>(weights)), c.packed ? "mapped" : "as stored",
      human_bytes(static_cast<double>(cache)), context,
      language.state_bytes > 0
          ? fmt::format(", {} of state", human_bytes(static_cast<double>(language.state_bytes)))
          : "",
      c.chat_template ? "the checkpoint's own" : "none; LLaVA-1.5's is used");
  for (const std::string& what : assumed)
    report += fmt::format("  assumed     {}\n", one_line(what));
  if (c.packed) {
    report += fmt::format("  packed      {}{}\n", one_line(c.packed->layout),
                          verify ? ", every checksum right" : "");
  }
  for (const models::StoredTensor* tensor :
       tensors ? stored : std::vector<const models::StoredTensor*>()) {
    report += fmt::format("  {:5} {:20} {}\n", one_line(tensor->type), tensor->shape.to_string(),
                          one_line(tensor->name));
  }
  return print(report);
}

// Nothing of a picture that is seen whole only.
bj::value tiles_of(const models::ImageFacts& facts) {
  if (facts.tiles.height == 0) return nullptr;
  return {{"rows", facts.tiles.height},
          {"columns", facts.tiles.width},
          {"picture", {{"width", facts.enlarged.width}, {"height", facts.enlarged.height}}},
          {"image_tokens", facts.rows - facts.whole_rows},
          {"whole_image_tokens", facts.whole_rows}};
}

std::string seen_as(const models::ImageFacts& facts) {
  std::string seen = fmt::format(
      "{} x {}: {}resized to {} x {}{}", facts.seen.width, facts.seen.height,
      facts.fit == "pad" ? "padded to a square, " : "", facts.resized.width, facts.resized.height,
      facts.fit == "crop" || facts.fit == "pad" ? ", centre cropped" : "");
  if (facts.tiles.height == 0) return seen;
  return fmt::format("{}; and {} tiles of that size, {} x {}, of the picture at {} x {}", seen,
                     facts.tiles.height * facts.tiles.width, facts.tiles.width, facts.tiles.height,
                     facts.enlarged.width, facts.enlarged.height);
}

std::string what_it_costs(const models::ImageFacts& facts) {
  if (facts.tiles.height > 0) {
    return fmt::format(": {} of the whole picture, {} of its tiles", facts.whole_rows,
                       facts.rows - facts.whole_rows);
  }
  if (facts.unbounded_rows == 0) return "";
  return fmt::format("; {} with --image-tokens model", facts.unbounded_rows);
}

// The picture, and what a model makes of it: the one given with --model, or the demo model.
Status InspectCommand::inspect_picture() const {
  constexpr std::size_t kMaxPicture = std::size_t{20} << 20;
  OCELLUS_ASSIGN_OR_RETURN(const std::string content, is_pipe(subject)
                                                          ? read_input(subject, kMaxPicture)
                                                          : base::read_file(subject, kMaxPicture));
  OCELLUS_ASSIGN_OR_RETURN(const image::ImageInfo info,
                           image::read_image_info(std::as_bytes(std::span(content))));
  OCELLUS_ASSIGN_OR_RETURN(const ModelOptions options, model.options());
  OCELLUS_ASSIGN_OR_RETURN(const models::Checkpoint c,
                           models::load_checkpoint(options.path, options.mmproj));
  OCELLUS_ASSIGN_OR_RETURN(const auto description, models::describe_model(c));
  OCELLUS_ASSIGN_OR_RETURN(const models::ImageFacts facts,
                           description->image_facts({info.oriented_height(), info.oriented_width()},
                                                    models::picture_options(options)));
  if (json) {
    return print_json(
        {{"kind", "picture"},
         {"path", subject},
         {"format", text(image::format_name(info.format))},
         {"bytes", info.encoded_bytes},
         {"width", info.oriented_width()},
         {"height", info.oriented_height()},
         {"stored_width", info.width},
         {"stored_height", info.height},
         {"orientation", info.orientation},
         {"color", info.color_mode},
         {"bits", info.bits},
         {"frames", info.frames},
         {"has_alpha", info.has_alpha},
         {"model", options.path.string()},
         {"preprocess", text(facts.fit)},
         {"resized", {{"width", facts.resized.width}, {"height", facts.resized.height}}},
         {"seen", {{"width", facts.seen.width}, {"height", facts.seen.height}}},
         {"tiles", tiles_of(facts)},
         {"image_tokens", facts.rows},
         {"unbounded_image_tokens", std::max(facts.rows, facts.unbounded_rows)}});
  }
  return print(
      fmt::format("{}: {}, {}, {} bit{}{}, {}\n"
                  "  size        {} x {} (stored {} x {}, orientation {})\n"
                  "  model sees  {}  ({})\n"
                  "  costs       {} image tokens{}\n",
                  subject, image::format_name(info.format), info.color_mode, info.bits,
                  info.has_alpha ? ", transparent" : "",
                  info.animated() ? fmt::format(", {} frames, the first is used", info.frames) : "",
                  human_bytes(static_cast<double>(info.encoded_bytes)), info.oriented_width(),
                  info.oriented_height(), info.width, info.height, info.orientation, seen_as(facts),
                  options.path.string(), facts.rows, what_it_costs(facts)));
}

Status InspectCommand::verify_packed() const {
  std::atomic<bool> interrupted = false;
  const InterruptGuard guard([&] { interrupted = true; });
  models::Progress progress;
  if (LoadProgress show = load_progress(Progress::make()))
    progress = [show = std::move(show)](double fraction) { show(fraction, "verifying"); };
  return models::verify_packed_model(subject, progress, [&] { return interrupted.load(); });
}

Status InspectCommand::run() const {
  // Before anything looks into it: what is read from a pipe is gone.
  if (!verify && is_pipe(subject)) return inspect_picture();
  std::error_code ec;
  const bool packed = models::is_packed_model(subject);
  if (verify) {
    if (!packed) {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "{}: --verify is for packed models, which have checksums", subject);
    }
    OCELLUS_RETURN_IF_ERROR(verify_packed());
  }
  // A folder, a repository of the Hugging Face cache by its id, a manifest of Ollama's store.
  const bool absent = !std::filesystem::exists(subject, ec);
  if (packed || std::filesystem::is_directory(subject, ec) ||
      (absent && models::is_hub_id(subject)) || models::is_ollama_manifest(subject)) {
    return inspect_model();
  }
  if (!is_gguf(subject)) return inspect_picture();
  // A pair that was asked for is one, or an error.
  if (!model.mmproj.empty()) {
    auto loaded = models::load_checkpoint(subject, model.mmproj);
    if (!loaded) return std::unexpected(std::move(loaded).error());
  }
  return inspect_gguf(subject, pair_memory(subject, model.mmproj), tensors, json);
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "inspect",
      "Say what a model folder, a .gguf file, a packed model or a picture is, without running it");
  auto flags = std::make_shared<InspectCommand>();
  command
      ->add_option("subject", flags->subject,
                   "A model folder, a .gguf file, a packed model or a picture")
      ->required()
      ->type_name("MODEL|IMAGE");
  flags->model.add_files_to(*command);
  command->add_flag("--verify", flags->verify,
                    "Of a packed model: read all of it and compare every checksum");
  command->add_flag("--tensors", flags->tensors, "List a model's tensors too");
  command->add_flag("--json", flags->json, "One JSON object, tensors included");
  command->callback(
      [flags, &action] { action = [flags] { return exit_code(flags->run(), flags->json); }; });
}

}  // namespace ocellus::cli
