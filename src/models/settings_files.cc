#include "models/settings_files.h"

#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/hf_config.h"

namespace ocellus::models {
namespace {

using base::make_error;

constexpr std::size_t kMaxConfigBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxTokenizerBytes = std::size_t{256} << 20;

Status read_configs(Checkpoint& c, const SettingsSource& read) {
  const auto config_path = c.folder / "config.json";
  OCELLUS_ASSIGN_OR_RETURN(const std::string config, read("config.json", kMaxConfigBytes));
  if (config.empty()) {
    return make_error(ErrorCode::kNotFound, "{}: no config.json: not a model folder",
                      c.folder.string());
  }
  OCELLUS_ASSIGN_OR_RETURN(c.config, formats::parse_model_config(config, config_path.string()));

  const auto generation_path = c.folder / "generation_config.json";
  OCELLUS_ASSIGN_OR_RETURN(const std::string generation,
                           read("generation_config.json", kMaxConfigBytes));
  if (!generation.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(
        c.generation, formats::parse_generation_config(generation, generation_path.string()));
  }
  return {};
}

// 5.x keeps the picture's settings in processor_config.json, 4.x in a file of their own.
Status read_image_processor(Checkpoint& c, const SettingsSource& read) {
  const auto processor_path = c.folder / "processor_config.json";
  OCELLUS_ASSIGN_OR_RETURN(std::string text, read("processor_config.json", kMaxConfigBytes));
  if (text.find("\"image_processor\"") != std::string::npos) {
    OCELLUS_ASSIGN_OR_RETURN(c.image_processor,
                             formats::parse_image_processor(text, processor_path.string()));
    return {};
  }
  const auto path = c.folder / "preprocessor_config.json";
  OCELLUS_ASSIGN_OR_RETURN(text, read("preprocessor_config.json", kMaxConfigBytes));
  if (!text.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(c.image_processor,
                             formats::parse_image_processor(text, path.string()));
    return {};
  }
  // No file at all: what the tower takes, the family's way.
  c.image_processor.resize_shortest_edge = c.config.tower.image_size;
  c.image_processor.crop_height = c.image_processor.crop_width = c.config.tower.image_size;
  return {};
}

Status read_texts(Checkpoint& c, const SettingsSource& read) {
  OCELLUS_ASSIGN_OR_RETURN(c.tokenizer_json, read("tokenizer.json", kMaxTokenizerBytes));
  OCELLUS_ASSIGN_OR_RETURN(c.tokenizer_model, read("tokenizer.model", kMaxTokenizerBytes));
  OCELLUS_ASSIGN_OR_RETURN(c.tokenizer_config, read("tokenizer_config.json", kMaxTokenizerBytes));
  OCELLUS_ASSIGN_OR_RETURN(c.added_tokens, read("added_tokens.json", kMaxTokenizerBytes));
  if (c.tokenizer_json.empty() && c.tokenizer_model.empty()) {
    return make_error(ErrorCode::kNotFound, "{}: neither tokenizer.json nor tokenizer.model",
                      c.folder.string());
  }
  // The newest spelling wins, as in transformers.
  OCELLUS_ASSIGN_OR_RETURN(const std::string jinja, read("chat_template.jinja", kMaxConfigBytes));
  if (!jinja.empty()) {
    c.chat_template = jinja;
    return {};
  }
  for (const char* name : {"chat_template.json", "processor_config.json"}) {
    OCELLUS_ASSIGN_OR_RETURN(const std::string text, read(name, kMaxConfigBytes));
    if (text.empty()) continue;
    OCELLUS_ASSIGN_OR_RETURN(c.chat_template,
                             formats::parse_chat_template(text, (c.folder / name).string()));
    if (c.chat_template) return {};
  }
  if (!c.tokenizer_config.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(
        c.chat_template, formats::parse_chat_template(
                             c.tokenizer_config, (c.folder / "tokenizer_config.json").string()));
  }
  return {};
}

}  // namespace

Result<std::string> read_optional_file(const std::filesystem::path& path, std::size_t max_bytes) {
  auto text = base::read_file(path, max_bytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::string();
  if (!text) return make_error(ErrorCode::kBadModel, "{}", text.error().message);
  return text;
}

Status read_settings_files(Checkpoint& c, const SettingsSource& read) {
  OCELLUS_RETURN_IF_ERROR(read_configs(c, read));
  OCELLUS_RETURN_IF_ERROR(read_image_processor(c, read));
  return read_texts(c, read);
}

}  // namespace ocellus::models
