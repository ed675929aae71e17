// Byte-level vocabularies as GGUF files have them: written as the tokenizer.json that they came
// from, so that one reader knows all the rules.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/result.h"
#include "base/utf8.h"
#include "text/tokenizer.h"
#include "text/word_kinds.h"

namespace ocellus::text {
namespace {

namespace bj = boost::json;

bj::string text(std::string_view s) { return bj::string(s.data(), s.size()); }

bj::value pre_tokenizer(const WordKind& kind) {
  if (kind.split.empty()) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  }
  const bj::value split = {{"type", "Split"},
                           {"pattern", {{"Regex", text(kind.split)}}},
                           {"behavior", "Isolated"},
                           {"invert", false}};
  const bj::value bytes = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return {{"type", "Sequence"}, {"pretokenizers", bj::array{split, bytes}}};
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> Tokenizer::from_merges(std::span<const std::string> tokens,
                                                                std::span<const std::string> merges,
                                                                std::string_view kind,
                                                                std::span<const AddedToken> added) {
  const WordKind* known = nullptr;
  for (const WordKind& each : kWordKinds) {
    if (each.name == kind) known = &each;
  }
  if (known == nullptr) {
    return base::make_error(ErrorCode::kUnsupported,
                            "vocabulary: \"{}\" is no known way to cut text into words", kind);
  }
  bj::object vocabulary;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (!base::is_valid_utf8(tokens[i]) || vocabulary.contains(tokens[i])) {
      return base::make_error(ErrorCode::kBadModel,
                              "vocabulary: token {} is not UTF-8 or stands twice", i);
    }
    vocabulary.emplace(tokens[i], i);
  }
  bj::array rules, extra;
  for (const std::string& merge : merges) {
    if (!base::is_valid_utf8(merge))
      return base::make_error(ErrorCode::kBadModel, "vocabulary: a merge is not UTF-8");
    rules.push_back(text(merge));
  }
  for (const AddedToken& token : added) {
    extra.push_back({{"id", token.id},
                     {"content", text(token.content)},
                     {"special", token.special},
                     {"normalized", false}});
  }
  const bj::value document = {
      {"model",
       {{"type", "BPE"},
        {"ignore_merges", known->whole_words},
        {"vocab", std::move(vocabulary)},
        {"merges", std::move(rules)}}},
      {"normalizer", known->compose ? bj::value{{"type", "NFC"}} : bj::value(nullptr)},
      {"pre_tokenizer", pre_tokenizer(*known)},
      {"decoder", {{"type", "ByteLevel"}}},
      {"added_tokens", std::move(extra)}};
  return parse_json(bj::serialize(document), "vocabulary");
}

std::unique_ptr<const Tokenizer> Tokenizer::with_begin(std::unique_ptr<const Tokenizer> tokenizer,
                                                       std::optional<std::int32_t> begin) {
  std::unique_ptr<Tokenizer> changed(const_cast<Tokenizer*>(tokenizer.release()));
  changed->prefix_.clear();
  if (begin) changed->prefix_ = {*begin};
  return changed;
}

}  // namespace ocellus::text
