#include "models/small_files.h"

#include "base/read_file.h"
#include "base/result.h"
#include "formats/chat_template_file.h"
#include "formats/foreign_file.h"
#include "models/vocabulary_files.h"

namespace ocellus::models {
namespace {

using base::make_error;

constexpr std::size_t kMaxConfigBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxTokenizerBytes = std::size_t{256} << 20;

struct SmallFile {
  const char* name;
  std::size_t max_bytes;
};
constexpr SmallFile kFiles[] = {
    {"config.json", kMaxConfigBytes},
    {"generation_config.json", kMaxConfigBytes},
    {"preprocessor_config.json", kMaxConfigBytes},
    {"processor_config.json", kMaxConfigBytes},
    {"chat_template.jinja", kMaxConfigBytes},
    {"chat_template.json", kMaxConfigBytes},
    {"tokenizer.json", kMaxTokenizerBytes},
    {"tokenizer.model", kMaxTokenizerBytes},
    {"tokenizer_config.json", kMaxTokenizerBytes},
    {"added_tokens.json", kMaxTokenizerBytes},
    {"special_tokens_map.json", kMaxConfigBytes},
};

// The newest place wins, as in transformers.
Status read_chat_template(Checkpoint& c) {
  if (const std::string_view jinja = c.text("chat_template.jinja"); !jinja.empty()) {
    c.chat_template = jinja;
    return {};
  }
  for (const char* name :
       {"chat_template.json", "processor_config.json", "tokenizer_config.json"}) {
    const std::string_view text = c.text(name);
    if (text.empty()) continue;
    OCELLUS_ASSIGN_OR_RETURN(c.chat_template,
                             formats::parse_chat_template(text, (c.path / name).string()));
    if (c.chat_template) return {};
  }
  return {};
}

// tokenizer.json counts, then tokenizer.model, then the two files of older tokenizers.
Status find_vocabulary(Checkpoint& c, const SmallFileSource& read) {
  if (!c.text("tokenizer.json").empty() || !c.text("tokenizer.model").empty()) return {};
  OCELLUS_ASSIGN_OR_RETURN(const std::string vocabulary, read("vocab.json", kMaxTokenizerBytes));
  OCELLUS_ASSIGN_OR_RETURN(const std::string merges, read("merges.txt", kMaxTokenizerBytes));
  if (vocabulary.empty() || merges.empty()) {
    return make_error(ErrorCode::kModelNotFound,
                      "{}: expected tokenizer.json, tokenizer.model, or vocab.json and merges.txt, "
                      "found none",
                      c.path.string());
  }
  OCELLUS_ASSIGN_OR_RETURN(
      std::string made,
      tokenizer_json_of(vocabulary, merges, c.text("tokenizer_config.json"), c.path.string()));
  c.texts.emplace("tokenizer.json", std::move(made));
  return {};
}

}  // namespace

Result<std::string> read_optional_file(const std::filesystem::path& path, std::size_t max_bytes) {
  auto text = base::read_file(path, max_bytes);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::string();
  if (!text) return make_error(ErrorCode::kBadModel, "{}", text.error().message);
  if (text->empty()) return text;
  if (const std::string foreign = formats::foreign_file(std::as_bytes(std::span(*text)));
      !foreign.empty()) {
    return make_error(ErrorCode::kBadModel, "{}: {}", path.string(), foreign);
  }
  return text;
}

Status read_small_files(Checkpoint& c, const SmallFileSource& read) {
  for (const SmallFile& file : kFiles) {
    OCELLUS_ASSIGN_OR_RETURN(std::string text, read(file.name, file.max_bytes));
    if (!text.empty()) c.texts.emplace(file.name, std::move(text));
  }
  if (c.text("config.json").empty()) {
    return make_error(ErrorCode::kModelNotFound,
                      "{}: expected a model folder with config.json, found none", c.path.string());
  }
  OCELLUS_RETURN_IF_ERROR(find_vocabulary(c, read));
  if (const std::string_view text = c.text("generation_config.json"); !text.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(c.generation, formats::parse_generation_config(
                                               text, (c.path / "generation_config.json").string()));
  }
  return read_chat_template(c);
}

}  // namespace ocellus::models
