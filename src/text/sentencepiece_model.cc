#include "text/sentencepiece_model.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "base/result.h"
#include "text/added_tokens.h"

namespace ocellus::text {
namespace {

using base::make_error;
using Type = VocabularyToken::Type;

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

Result<std::vector<AddedToken>> place_added_tokens(const TokenizerFiles& beside,
                                                   std::span<const VocabularyToken> tokens,
                                                   std::string_view file) {
  auto more = read_more_tokens(beside);
  if (!more) return make_error(ErrorCode::kBadModel, "{}: {}", file, more.error().message);
  std::vector<AddedToken> added;
  for (AddedToken& token : *more) {
    if (std::ranges::find(added, token.content, &AddedToken::content) != added.end()) continue;
    if (token.id == kNoId) {
      const auto known = std::ranges::find(tokens, token.content, &VocabularyToken::text);
      if (known == tokens.end()) continue;
      token.id = static_cast<std::int32_t>(known - tokens.begin());
    }
    added.push_back(std::move(token));
  }
  return added;
}

}  // namespace ocellus::text
