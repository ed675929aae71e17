// Byte-level vocabularies as GGUF files have them.
#include <algorithm>

#include "base/result.h"
#include "base/utf8.h"
#include "text/pre_tokenizer_kinds.h"
#include "text/tokenizer.h"

namespace ocellus::text {

using base::make_error;

Result<std::unique_ptr<const Tokenizer>> Tokenizer::from_merges(std::span<const std::string> tokens,
                                                                std::span<const std::string> merges,
                                                                std::string_view pre_tokenizer,
                                                                std::vector<AddedToken> added) {
  const auto* kind = std::ranges::find(kPreTokenizerKinds, pre_tokenizer, &PreTokenizerKind::name);
  if (kind == std::end(kPreTokenizerKinds)) {
    return make_error(ErrorCode::kUnsupported, "vocabulary: pre-tokenizer \"{}\" is not supported",
                      pre_tokenizer);
  }
  Vocabulary vocabulary;
  vocabulary.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!base::is_valid_utf8(tokens[i]))
      return make_error(ErrorCode::kBadModel, "vocabulary: token {}: expected UTF-8", i);
    if (!vocabulary.emplace(tokens[i], static_cast<std::int32_t>(i)).second)
      return make_error(ErrorCode::kBadModel, "vocabulary: duplicate token {} \"{}\"", i,
                        tokens[i]);
  }
  Bpe bpe(std::move(vocabulary), {.unknown = std::nullopt, .ignore_merges = kind->ignore_merges});
  for (const std::string& merge : merges) OCELLUS_RETURN_IF_ERROR(bpe.add_merge(merge));
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(bpe)));
  if (kind->nfc) tokenizer->normalizer_ = Normalizer::nfc();
  OCELLUS_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_,
                           PreTokenizer::byte_level(kind->split, kind->digits));
  tokenizer->decoder_ = TokenDecoder::byte_level();
  tokenizer->added_ = std::move(added);
  OCELLUS_RETURN_IF_ERROR(tokenizer->finish("vocabulary"));
  return tokenizer;
}

std::unique_ptr<const Tokenizer> Tokenizer::with_bos(std::unique_ptr<const Tokenizer> tokenizer,
                                                     std::optional<std::int32_t> bos) {
  std::unique_ptr<Tokenizer> changed(const_cast<Tokenizer*>(tokenizer.release()));
  changed->prefix_.clear();
  if (bos) changed->prefix_ = {*bos};
  return changed;
}

}  // namespace ocellus::text
