// SentencePiece vocabularies: tokenizer.model, or tokens with scores.
#include <algorithm>
#include <cmath>

#include "base/result.h"
#include "base/utf8.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer.h"

namespace ocellus::text {
namespace {

using base::make_error;
using Type = VocabularyToken::Type;

// The rules that a scored vocabulary stands for: every way to cut a token into two other tokens,
// the best token first; among the cuts of one token the order of the left part's id, then of the
// right part's, as transformers' converter has it.
struct Rule {
  float score;
  std::string_view left, right;
  std::int32_t left_id, right_id;
};

std::vector<Rule> rules_of(std::span<const VocabularyToken> tokens, const Vocabulary& vocabulary) {
  std::vector<Rule> rules;
  for (const VocabularyToken& token : tokens) {
    // Control tokens and bytes are not spelled by joining others.
    if (token.type != Type::kNormal && token.type != Type::kUserDefined) continue;
    std::vector<Rule> own;
    const std::string_view text = token.text;
    for (std::size_t cut = 1; cut < text.size(); ++cut) {
      if ((static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) continue;
      const auto left = vocabulary.find(text.substr(0, cut)),
                 right = vocabulary.find(text.substr(cut));
      if (left == vocabulary.end() || right == vocabulary.end()) continue;
      own.push_back(
          {token.score, text.substr(0, cut), text.substr(cut), left->second, right->second});
    }
    std::ranges::sort(own, {}, [](const Rule& r) { return std::pair(r.left_id, r.right_id); });
    rules.insert(rules.end(), own.begin(), own.end());
  }
  std::ranges::stable_sort(rules, std::greater<>(), &Rule::score);
  return rules;
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> Tokenizer::from_scored_tokens(
    std::span<const VocabularyToken> tokens, PrefixSpace prefix, std::vector<AddedToken> added,
    std::span<const std::string> merges) {
  Vocabulary vocabulary;
  Bpe::Options options{.unknown = std::nullopt, .byte_fallback = true, .fuse_unknown = true};
  std::optional<std::int32_t> bos;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const VocabularyToken& token = tokens[i];
    const auto id = static_cast<std::int32_t>(i);
    if (token.type == Type::kUnused) continue;  // fills up the matrix, names nothing
    if (token.text.empty() || !base::is_valid_utf8(token.text) || !std::isfinite(token.score)) {
      return make_error(ErrorCode::kBadModel,
                        "vocabulary: token {}: expected UTF-8 text and a finite score", i);
    }
    if (!vocabulary.emplace(token.text, id).second) {
      return make_error(ErrorCode::kBadModel, "vocabulary: duplicate token {} \"{}\"", i,
                        token.text);
    }
    if (token.type == Type::kUnknown) options.unknown = id;
    if (token.type != Type::kNormal && token.type != Type::kByte) {
      const bool known =
          std::ranges::any_of(added, [&](const AddedToken& a) { return a.content == token.text; });
      const bool special = token.type != Type::kUserDefined;
      if (!known) added.push_back({.content = token.text, .id = id, .special = special});
      if (token.text == "<s>") bos = id;
    }
  }
  const std::vector<Rule> rules =
      merges.empty() ? rules_of(tokens, vocabulary) : std::vector<Rule>();
  Bpe bpe(std::move(vocabulary), options);
  for (const std::string& merge : merges) OCELLUS_RETURN_IF_ERROR(bpe.add_merge(merge));
  for (const Rule& rule : rules) OCELLUS_RETURN_IF_ERROR(bpe.add_merge(rule.left, rule.right));
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(bpe)));
  tokenizer->normalizer_ = Normalizer::sentencepiece(prefix);
  tokenizer->pre_tokenizer_ = PreTokenizer::sentencepiece(prefix);
  tokenizer->decoder_ = TokenDecoder::sentencepiece(prefix != PrefixSpace::kNone);
  tokenizer->added_ = std::move(added);
  if (bos) tokenizer->prefix_ = {*bos};
  OCELLUS_RETURN_IF_ERROR(tokenizer->finish("vocabulary"));
  return tokenizer;
}

Result<std::unique_ptr<const Tokenizer>> Tokenizer::parse_sentencepiece(
    std::string_view model, const TokenizerFiles& beside, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<VocabularyToken> tokens,
                           read_sentencepiece(model, file));
  OCELLUS_ASSIGN_OR_RETURN(std::vector<AddedToken> added, place_added_tokens(beside, tokens, file));
  auto tokenizer = from_scored_tokens(tokens, PrefixSpace::kEveryText, std::move(added));
  if (!tokenizer) return base::with_context(std::move(tokenizer).error(), file);
  return tokenizer;
}

}  // namespace ocellus::text
