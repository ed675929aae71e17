// Text to token ids and back. Reference: transformers' fast tokenizers, i.e. the tokenizers library
// on tokenizer.json.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "text/bpe.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/segment.h"
#include "text/token_decoder.h"

namespace ocellus::text {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;                 // only trusted text can spell it
  bool normalized = false;              // looked for in normalised text
  bool lstrip = false, rstrip = false;  // takes the white space beside it
  bool single_word = false;             // not inside a word
};

// The files beside a tokenizer that add tokens to it (texts, may be empty): tokenizer_config.json,
// special_tokens_map.json and added_tokens.json.
struct TokenizerFiles {
  std::string_view config = {}, special_map = {}, added = {};
};

// A token of a SentencePiece vocabulary.
struct VocabularyToken {
  enum class Type { kNormal, kUnknown, kControl, kUserDefined, kByte, kUnused };
  std::string text;
  float score = 0;
  Type type = Type::kNormal;
};

// Immutable after loading; any thread.
class Tokenizer {
 public:
  // tokenizer.json and what is beside it. kBadModel naming `file` and the field; kUnsupported for a
  // kind of tokenizer that is not built in.
  static Result<std::unique_ptr<const Tokenizer>> parse_json(std::string_view json,
                                                             const TokenizerFiles& beside,
                                                             std::string_view file);

  // tokenizer.model (SentencePiece) and what is beside it.
  static Result<std::unique_ptr<const Tokenizer>> parse_sentencepiece(std::string_view model,
                                                                      const TokenizerFiles& beside,
                                                                      std::string_view file);

  // A SentencePiece vocabulary, the tokens in the order of their ids. `merges` ("left right", best
  // first) are mostly left out: every way to cut a token in two is one, by falling score.
  // kBadModel.
  static Result<std::unique_ptr<const Tokenizer>> from_scored_tokens(
      std::span<const VocabularyToken> tokens, PrefixSpace prefix, std::vector<AddedToken> added,
      std::span<const std::string> merges = {});

  // A byte-level vocabulary with its merges ("left right", best first); `pre_tokenizer` is one of
  // the names that GGUF files use. kBadModel; kUnsupported for a name that is not known.
  static Result<std::unique_ptr<const Tokenizer>> from_merges(std::span<const std::string> tokens,
                                                              std::span<const std::string> merges,
                                                              std::string_view pre_tokenizer,
                                                              std::vector<AddedToken> added);

  // The same tokenizer with another BOS token before every prompt, or none.
  static std::unique_ptr<const Tokenizer> with_bos(std::unique_ptr<const Tokenizer> tokenizer,
                                                   std::optional<std::int32_t> bos);

  // The prompt's ids. Special tokens are recognised in trusted segments only; everything else is
  // tokenized as if the segments were one text. `add_special_tokens`: those that the file puts
  // around a text (a leading BOS).
  std::vector<std::int32_t> encode(std::span<const Segment> segments,
                                   bool add_special_tokens) const;
  std::vector<std::int32_t> encode(std::string_view text, bool trusted,
                                   bool add_special_tokens) const;

  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const;
  const TokenDecoder& decoder() const { return decoder_; }

  std::size_t vocabulary_size() const { return tokens_.size(); }
  std::optional<std::int32_t> id_of(std::string_view token) const;
  // Empty for an id that names nothing.
  std::string_view token_text(std::int32_t id) const;
  bool is_special(std::int32_t id) const;
  std::span<const std::int32_t> prefix_tokens() const { return prefix_; }

 private:
  friend class TokenizerJsonReader;
  Tokenizer(Bpe bpe) : bpe_(std::move(bpe)) {}
  Status finish(std::string_view file);
  void encode_text(std::string_view text, std::string trusted, bool at_start,
                   std::vector<std::int32_t>& ids) const;
  void encode_normalized(std::string_view normalized, bool at_start,
                         std::vector<std::int32_t>& ids) const;

  Bpe bpe_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  TokenDecoder decoder_;
  std::vector<AddedToken> added_;
  std::vector<std::int32_t> prefix_, suffix_;  // what add_special_tokens puts around
  std::vector<std::string> tokens_;            // by id
  std::vector<bool> special_;                  // by id
};

}  // namespace ocellus::text
