#include "models/tokenizer.h"

#include "base/result.h"

namespace ocellus::models {

Result<std::unique_ptr<const text::Tokenizer>> make_tokenizer(const formats::GgufVocabulary& v,
                                                              std::int64_t image_token) {
  using Type = text::VocabularyToken::Type;
  constexpr Type kTypes[] = {Type::kNormal,      Type::kNormal, Type::kUnknown, Type::kControl,
                             Type::kUserDefined, Type::kUnused, Type::kByte};
  const auto image = static_cast<std::size_t>(image_token);
  const std::string name = image < v.tokens.size() ? v.tokens[image] : "<image>";
  std::vector<text::AddedToken> added = {
      {.content = name, .id = static_cast<std::int32_t>(image_token), .special = true}};
  Result<std::unique_ptr<const text::Tokenizer>> tokenizer = nullptr;
  if (v.model == "llama") {
    std::vector<text::VocabularyToken> tokens;
    for (std::size_t i = 0; i < v.tokens.size(); ++i)
      tokens.push_back({v.tokens[i], v.scores[i], kTypes[v.types[i]]});
    using text::PrefixSpace;
    const PrefixSpace prefix = !v.prefix_space           ? PrefixSpace::kNone
                               : v.metaspace == "first"  ? PrefixSpace::kStartOnly
                               : v.metaspace == "always" ? PrefixSpace::kUnlessSpaced
                                                         : PrefixSpace::kEveryText;
    tokenizer = text::Tokenizer::from_scored_tokens(tokens, prefix, std::move(added), v.merges);
  } else {
    for (std::size_t i = 0; i < v.tokens.size(); ++i) {
      const Type type = kTypes[v.types[i]];
      if ((type == Type::kControl || type == Type::kUserDefined) && i != image) {
        added.push_back({.content = v.tokens[i],
                         .id = static_cast<std::int32_t>(i),
                         .special = type == Type::kControl});
      }
    }
    tokenizer = text::Tokenizer::from_merges(v.tokens, v.merges, v.pre, std::move(added));
  }
  if (!tokenizer) return tokenizer;
  return text::Tokenizer::with_bos(*std::move(tokenizer), v.bos);
}

text::TokenizerFiles tokenizer_files(const Checkpoint& c) {
  return {.config = c.text("tokenizer_config.json"),
          .special_map = c.text("special_tokens_map.json"),
          .added = c.text("added_tokens.json")};
}

Result<std::unique_ptr<const text::Tokenizer>> make_tokenizer(const Checkpoint& c,
                                                              std::int64_t image_token) {
  if (c.vocabulary) {
    auto tokenizer = make_tokenizer(*c.vocabulary, image_token);
    if (!tokenizer) return base::with_context(std::move(tokenizer).error(), c.path.string());
    return tokenizer;
  }
  if (const std::string_view json = c.text("tokenizer.json"); !json.empty())
    return text::Tokenizer::parse_json(json, tokenizer_files(c),
                                       (c.path / "tokenizer.json").string());
  return text::Tokenizer::parse_sentencepiece(c.text("tokenizer.model"), tokenizer_files(c),
                                              (c.path / "tokenizer.model").string());
}

}  // namespace ocellus::models
