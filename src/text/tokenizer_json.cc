// Reading tokenizer.json.
#include "base/result.h"
#include "json/python_json.h"
#include "text/added_tokens.h"
#include "text/tokenizer.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;

constexpr std::int64_t kMaxId = std::int64_t{1} << 21;

std::string_view view(const bj::string& s) { return {s.data(), s.size()}; }

Result<const bj::object*> required_object(const bj::object& object, std::string_view key,
                                          std::string_view what) {
  OCELLUS_ASSIGN_OR_RETURN(const bj::object* found, json::get_object_or_null(object, key, what));
  if (found == nullptr)
    return make_error(ErrorCode::kBadModel, "{}: {}: expected an object, found none", what, key);
  return found;
}

}  // namespace

class TokenizerJsonReader {
 public:
  TokenizerJsonReader(const bj::object& root, const TokenizerFiles& beside, std::string_view file)
      : root_(root), beside_(beside), file_(file) {}

  Result<std::unique_ptr<const Tokenizer>> read() {
    OCELLUS_ASSIGN_OR_RETURN(const bj::object* model, required_object(root_, "model", file_));
    OCELLUS_ASSIGN_OR_RETURN(const std::string type,
                             json::get_string_or(*model, "type", file_, "BPE"));
    if (type != "BPE")
      return make_error(ErrorCode::kUnsupported, "{}: model: type: expected BPE, found \"{}\"",
                        file_, type);
    OCELLUS_ASSIGN_OR_RETURN(Bpe bpe, read_bpe(*model));
    std::unique_ptr<Tokenizer> tokenizer(new Tokenizer(std::move(bpe)));
    OCELLUS_ASSIGN_OR_RETURN(tokenizer->normalizer_,
                             Normalizer::parse(root_.if_contains("normalizer"), file_));
    OCELLUS_ASSIGN_OR_RETURN(tokenizer->pre_tokenizer_,
                             PreTokenizer::parse(root_.if_contains("pre_tokenizer"), file_));
    OCELLUS_ASSIGN_OR_RETURN(tokenizer->decoder_,
                             TokenDecoder::parse(root_.if_contains("decoder"), file_));
    OCELLUS_RETURN_IF_ERROR(read_added(*tokenizer));
    OCELLUS_RETURN_IF_ERROR(tokenizer->finish(file_));
    OCELLUS_RETURN_IF_ERROR(
        read_post_processor(root_.if_contains("post_processor"), *tokenizer, 0));
    return tokenizer;
  }

 private:
  Result<Bpe> read_bpe(const bj::object& model) {
    const std::string what = fmt::format("{}: model", file_);
    OCELLUS_ASSIGN_OR_RETURN(const bj::object* vocab, required_object(model, "vocab", what));
    Vocabulary vocabulary;
    vocabulary.reserve(vocab->size());
    for (const auto& [token, id] : *vocab) {
      if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() > kMaxId) {
        return make_error(ErrorCode::kBadModel, "{}: vocab: \"{}\": expected an id from 0 to {}",
                          what, std::string_view(token.data(), token.size()), kMaxId);
      }
      vocabulary.emplace(std::string(token.data(), token.size()),
                         static_cast<std::int32_t>(id.get_int64()));
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      OCELLUS_ASSIGN_OR_RETURN(const std::string value, json::get_string_or(model, key, what, ""));
      if (!value.empty())
        return make_error(ErrorCode::kUnsupported, "{}: {} \"{}\" is not supported", what, key,
                          value);
    }
    Bpe::Options options;
    OCELLUS_ASSIGN_OR_RETURN(const std::string unknown,
                             json::get_string_or(model, "unk_token", what, ""));
    if (const auto found = vocabulary.find(unknown); !unknown.empty() && found != vocabulary.end())
      options.unknown = found->second;
    OCELLUS_ASSIGN_OR_RETURN(options.byte_fallback,
                             json::get_bool_or(model, "byte_fallback", what, false));
    OCELLUS_ASSIGN_OR_RETURN(options.fuse_unknown,
                             json::get_bool_or(model, "fuse_unk", what, false));
    OCELLUS_ASSIGN_OR_RETURN(options.ignore_merges,
                             json::get_bool_or(model, "ignore_merges", what, false));
    Bpe bpe(std::move(vocabulary), options);
    OCELLUS_ASSIGN_OR_RETURN(const bj::array* merges,
                             json::get_array_or_null(model, "merges", what));
    if (merges == nullptr)
      return make_error(ErrorCode::kBadModel, "{}: merges: expected an array, found none", what);
    for (const bj::value& merge : *merges) OCELLUS_RETURN_IF_ERROR(add_merge(merge, bpe, what));
    return bpe;
  }

  // "left right" in files of older versions, ["left", "right"] in newer ones.
  static Status add_merge(const bj::value& merge, Bpe& bpe, std::string_view what) {
    Status added;
    if (const bj::array* pair = merge.if_array();
        pair != nullptr && pair->size() == 2 && (*pair)[0].is_string() && (*pair)[1].is_string()) {
      added = bpe.add_merge(view((*pair)[0].get_string()), view((*pair)[1].get_string()));
    } else if (merge.is_string() && view(merge.get_string()).find(' ') != std::string_view::npos) {
      const std::string_view text = view(merge.get_string());
      const std::size_t space = text.find(' ');
      added = bpe.add_merge(text.substr(0, space), text.substr(space + 1));
    } else {
      return make_error(ErrorCode::kBadModel,
                        "{}: merges: expected \"left right\" or [left, right]", what);
    }
    if (!added) return base::with_context(std::move(added).error(), what);
    return {};
  }

  Status read_added(Tokenizer& tokenizer) {
    const Vocabulary& known = tokenizer.bpe_.vocabulary();
    const PlainVocabulary vocabulary{
        .id_of = [&](std::string_view text) -> std::optional<std::int32_t> {
          const auto found = known.find(text);
          return found == known.end() ? std::nullopt : std::optional(found->second);
        },
        .size = static_cast<std::int32_t>(known.size())};
    OCELLUS_ASSIGN_OR_RETURN(tokenizer.added_,
                             read_added_tokens(root_, beside_, vocabulary, file_));
    // What is looked for in normalised text must itself be normalised.
    for (AddedToken& token : tokenizer.added_)
      if (token.normalized) token.content = tokenizer.normalizer_.apply(token.content);
    return {};
  }

  Status read_post_processor(const bj::value* value, Tokenizer& tokenizer, int depth) {
    if (value == nullptr || value->is_null()) return {};
    const std::string what = fmt::format("{}: post_processor", file_);
    if (!value->is_object() || depth > 16)
      return make_error(ErrorCode::kBadModel, "{}: expected an object", what);
    const bj::object& object = value->get_object();
    OCELLUS_ASSIGN_OR_RETURN(const std::string type, json::get_string_or(object, "type", what, ""));
    if (type == "ByteLevel") return {};  // changes offsets only
    if (type == "Sequence") {
      OCELLUS_ASSIGN_OR_RETURN(const bj::array* parts,
                               json::get_array_or_null(object, "processors", what));
      if (parts == nullptr)
        return make_error(ErrorCode::kBadModel, "{}: Sequence: expected processors", what);
      for (const bj::value& part : *parts)
        OCELLUS_RETURN_IF_ERROR(read_post_processor(&part, tokenizer, depth + 1));
      return {};
    }
    if (type != "TemplateProcessing")
      return make_error(ErrorCode::kUnsupported, "{}: type \"{}\" is not supported", what, type);
    OCELLUS_ASSIGN_OR_RETURN(const bj::array* single,
                             json::get_array_or_null(object, "single", what));
    if (single == nullptr)
      return make_error(ErrorCode::kBadModel, "{}: single: expected an array, found none", what);
    bool after = false;
    for (const bj::value& item : *single) {
      const bj::object* part = item.if_object();
      const bj::value* special = part == nullptr ? nullptr : part->if_contains("SpecialToken");
      if (special == nullptr || !special->is_object()) {
        after = true;  // the text itself
        continue;
      }
      OCELLUS_ASSIGN_OR_RETURN(const std::string name,
                               json::get_string_or(special->get_object(), "id", what, ""));
      const auto id = tokenizer.id_of(name);
      if (!id)
        return make_error(ErrorCode::kBadModel, "{}: \"{}\": expected a token of the vocabulary",
                          what, name);
      (after ? tokenizer.suffix_ : tokenizer.prefix_).push_back(*id);
    }
    return {};
  }

  const bj::object& root_;
  const TokenizerFiles& beside_;
  std::string file_;
};

Result<std::unique_ptr<const Tokenizer>> Tokenizer::parse_json(std::string_view text,
                                                               const TokenizerFiles& beside,
                                                               std::string_view file) {
  auto document = json::parse_python(text, file);
  if (!document) return make_error(ErrorCode::kBadModel, "{}", document.error().message);
  if (!document->is_object())
    return make_error(ErrorCode::kBadModel, "{}: expected an object", file);
  auto tokenizer = TokenizerJsonReader(document->get_object(), beside, file).read();
  // Wrong types come from the JSON layer as invalid arguments; here they are a damaged model.
  if (!tokenizer && tokenizer.error().code == ErrorCode::kInvalidArgument) {
    return make_error(ErrorCode::kBadModel, "{}", tokenizer.error().message);
  }
  return tokenizer;
}

}  // namespace ocellus::text
