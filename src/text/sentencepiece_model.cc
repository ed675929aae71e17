#include "text/sentencepiece_model.h"

#include <sentencepiece_processor.h>

#include <charconv>

#include "base/result.h"
#include "json/json.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;
using Type = VocabularyToken::Type;

constexpr std::int64_t kMaxId = std::int64_t{1} << 21;

Type type_of(const sentencepiece::SentencePieceProcessor& model, int id) {
  if (model.IsUnknown(id)) return Type::kUnknown;
  if (model.IsControl(id)) return Type::kControl;
  if (model.IsByte(id)) return Type::kByte;
  if (model.IsUnused(id)) return Type::kUnused;
  return Type::kNormal;
}

}  // namespace

Result<std::vector<VocabularyToken>> read_sentencepiece(std::string_view model,
                                                        std::string_view file) {
  sentencepiece::SentencePieceProcessor processor;
  if (const auto status = processor.LoadFromSerializedProto(model); !status.ok()) {
    return make_error(ErrorCode::kBadModel, "{}: expected a SentencePiece model: {}", file,
                      status.ToString());
  }
  std::vector<VocabularyToken> tokens;
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    tokens.push_back({processor.IdToPiece(id), processor.GetScore(id), type_of(processor, id)});
  }
  return tokens;
}

// Tokens that the files beside tokenizer.model add: added_tokens.json {"<image>": 32000}, and
// tokenizer_config.json's added_tokens_decoder {"32000": {"content": ..., "special": ...}}, which
// knows more.
Result<std::vector<AddedToken>> read_added_tokens(std::string_view config_json,
                                                  std::string_view added_json) {
  std::vector<AddedToken> added;
  if (!added_json.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(const bj::value document,
                             json::parse(added_json, "added_tokens.json"));
    const bj::object* object = document.if_object();
    if (object == nullptr)
      return make_error(ErrorCode::kBadModel, "added_tokens.json: expected an object");
    for (const auto& [content, id] : *object) {
      if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() > kMaxId) {
        return make_error(ErrorCode::kBadModel,
                          "added_tokens.json: {}: expected an id from 0 to {}",
                          std::string_view(content.data(), content.size()), kMaxId);
      }
      added.push_back({.content = {content.data(), content.size()},
                       .id = static_cast<std::int32_t>(id.get_int64()),
                       .special = true});
    }
  }
  if (config_json.empty()) return added;
  OCELLUS_ASSIGN_OR_RETURN(const bj::value document,
                           json::parse(config_json, "tokenizer_config.json"));
  const bj::object* config = document.if_object();
  if (config == nullptr)
    return make_error(ErrorCode::kBadModel, "tokenizer_config.json: expected an object");
  OCELLUS_ASSIGN_OR_RETURN(
      const bj::object* decoder,
      json::get_object_or_null(*config, "added_tokens_decoder", "tokenizer_config.json"));
  if (decoder == nullptr) return added;
  for (const auto& [key, value] : *decoder) {
    const std::string what = fmt::format("tokenizer_config.json: added_tokens_decoder: {}",
                                         std::string_view(key.data(), key.size()));
    std::int32_t id = 0;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || id < 0 ||
        !value.is_object()) {
      return make_error(ErrorCode::kBadModel, "{}: expected an id as the key and an object", what);
    }
    AddedToken token{.content = {}, .id = id};
    OCELLUS_ASSIGN_OR_RETURN(token.content,
                             json::get_string_or(value.get_object(), "content", what, ""));
    OCELLUS_ASSIGN_OR_RETURN(token.special,
                             json::get_bool_or(value.get_object(), "special", what, false));
    OCELLUS_ASSIGN_OR_RETURN(token.lstrip,
                             json::get_bool_or(value.get_object(), "lstrip", what, false));
    OCELLUS_ASSIGN_OR_RETURN(token.rstrip,
                             json::get_bool_or(value.get_object(), "rstrip", what, false));
    OCELLUS_ASSIGN_OR_RETURN(token.single_word,
                             json::get_bool_or(value.get_object(), "single_word", what, false));
    std::erase_if(added, [&](const AddedToken& known) { return known.content == token.content; });
    added.push_back(std::move(token));
  }
  return added;
}

}  // namespace ocellus::text
