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
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/segment.h"

namespace ocellus::text {

struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool special = false;                 // a control token: only trusted text can spell it
  bool normalized = false;              // looked for after normalising
  bool lstrip = false, rstrip = false;  // swallows white space beside it
  bool single_word = false;             // not inside a word
};

// Immutable after loading; any thread.
class Tokenizer {
 public:
  // tokenizer.json. kBadModel naming `file` and the field; kUnsupported for a kind of tokenizer
  // that is not built in.
  static Result<std::unique_ptr<const Tokenizer>> parse_json(std::string_view json,
                                                             std::string_view file);

  // tokenizer.model (SentencePiece), with the tokens that tokenizer_config.json or
  // added_tokens.json add (texts, may be empty).
  static Result<std::unique_ptr<const Tokenizer>> parse_sentencepiece(std::string_view model,
                                                                      std::string_view config_json,
                                                                      std::string_view added_json,
                                                                      std::string_view file);

  // A Llama-style vocabulary by itself: `pieces` in the order of their ids. `merges` ("left right",
  // best first) are mostly left out: every way to cut a piece in two is one, by falling score.
  struct Piece {
    std::string text;
    float score = 0;
    enum class Type {
      kNormal,
      kUnknown,
      kControl,
      kUserDefined,
      kByte,
      kUnused
    } type = Type::kNormal;
  };
  static Result<std::unique_ptr<const Tokenizer>> from_pieces(
      std::span<const Piece> pieces, PrefixSpace prefix, std::vector<AddedToken> added,
      std::span<const std::string> merges = {});

  // A byte-level vocabulary with its merges ("left right"); `kind` says how text is cut into words,
  // by the names that GGUF files use. kUnsupported for a kind that is not built in.
  static Result<std::unique_ptr<const Tokenizer>> from_merges(std::span<const std::string> tokens,
                                                              std::span<const std::string> merges,
                                                              std::string_view kind,
                                                              std::span<const AddedToken> added);

  // The same tokenizer with another start token in front of every prompt, or none.
  static std::unique_ptr<const Tokenizer> with_begin(std::unique_ptr<const Tokenizer> tokenizer,
                                                     std::optional<std::int32_t> begin);

  // The prompt's ids. Control tokens are recognised in trusted segments only; everything else is
  // tokenized as if the segments were one text. `add_special_tokens`: those that the file puts
  // around a text (a leading BOS).
  std::vector<std::int32_t> encode(std::span<const Segment> segments,
                                   bool add_special_tokens) const;
  std::vector<std::int32_t> encode(std::string_view text, bool trusted,
                                   bool add_special_tokens) const;

  std::string decode(std::span<const std::int32_t> ids, bool skip_special) const;
  const Decoder& decoder() const { return decoder_; }

  std::size_t vocabulary_size() const { return pieces_.size(); }
  std::optional<std::int32_t> id_of(std::string_view piece) const;
  // Empty for an id that names nothing.
  std::string_view piece_of(std::int32_t id) const;
  bool is_special(std::int32_t id) const;
  std::span<const std::int32_t> prefix_tokens() const { return prefix_; }

 private:
  friend class TokenizerJsonReader;
  Tokenizer(Bpe bpe) : bpe_(std::move(bpe)) {}
  Status finish(std::string_view file);
  void encode_text(std::string_view text, std::string trusted, bool at_start,
                   std::vector<std::int32_t>& ids) const;
  void encode_words(std::string_view normalized, bool at_start,
                    std::vector<std::int32_t>& ids) const;

  Bpe bpe_;
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  Decoder decoder_;
  std::vector<AddedToken> added_;
  std::vector<std::int32_t> prefix_, suffix_;  // what add_special_tokens puts around
  std::vector<std::string> pieces_;            // by id
  std::vector<bool> special_;                  // by id
};

}  // namespace ocellus::text
