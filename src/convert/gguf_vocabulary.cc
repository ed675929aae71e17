#include "convert/gguf_vocabulary.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/result.h"
#include "models/tokenizer.h"
#include "text/vocabulary_table.h"

namespace ocellus::convert {
namespace {

using Type = text::VocabularyToken::Type;

std::int32_t number_of(Type type) {
  switch (type) {
    case Type::kNormal:
      return 1;
    case Type::kUnknown:
      return 2;
    case Type::kControl:
      return 3;
    case Type::kUserDefined:
      return 4;
    case Type::kUnused:
      return 5;
    case Type::kByte:
      return 6;
  }
  return 1;
}

Result<text::VocabularyTable> read_table(const models::Checkpoint& c) {
  const std::string_view model = c.text("tokenizer.model");
  if (const std::string_view json = c.text("tokenizer.json"); !json.empty())
    return text::read_vocabulary_json(json, models::tokenizer_files(c), model,
                                      (c.path / "tokenizer.json").string());
  return text::read_vocabulary_sentencepiece(model, models::tokenizer_files(c),
                                             (c.path / "tokenizer.model").string());
}

}  // namespace

Result<formats::GgufVocabulary> make_gguf_vocabulary(const models::ModelDescription& model) {
  const models::Checkpoint& checkpoint = model.tensors().checkpoint();
  OCELLUS_ASSIGN_OR_RETURN(const text::VocabularyTable table, read_table(checkpoint));
  OCELLUS_ASSIGN_OR_RETURN(const auto tokenizer,
                           models::make_tokenizer(checkpoint, model.tokens().image));
  if (table.scored && !table.merges.empty()) {
    base::log(base::LogLevel::kInfo,
              fmt::format("{}: the tokenizer's merges are not all ways to cut its tokens: engines "
                          "that go by scores alone will cut some words otherwise",
                          checkpoint.path.string()));
  }
  formats::GgufVocabulary v;
  v.model = table.scored ? "llama" : "gpt2";
  v.pre = table.pre_tokenizer;
  v.merges = table.merges;
  v.prefix_space = table.prefix != text::PrefixSpace::kNone;
  if (table.prefix == text::PrefixSpace::kUnlessSpaced) v.metaspace = "always";
  if (table.prefix == text::PrefixSpace::kStartOnly) v.metaspace = "first";
  if (!tokenizer->prefix_tokens().empty()) v.bos = tokenizer->prefix_tokens().front();
  const auto rows = static_cast<std::size_t>(model.summary().language.vocab_size);
  // Tokens after the last row have no embedding: the image's, which every engine has its own way to
  // place.
  for (std::size_t id = 0; id < rows; ++id) {
    const bool named = id < table.tokens.size() && table.tokens[id].type != Type::kUnused;
    v.tokens.push_back(named ? table.tokens[id].text : fmt::format("[PAD{}]", id));
    v.types.push_back(named ? number_of(table.tokens[id].type) : number_of(Type::kUnused));
    if (table.scored) v.scores.push_back(named ? table.tokens[id].score : -10000.0f);
  }
  return v;
}

}  // namespace ocellus::convert
