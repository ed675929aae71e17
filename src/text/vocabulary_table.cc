#include "text/vocabulary_table.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/result.h"
#include "json/python_json.h"
#include "text/added_tokens.h"
#include "text/pre_tokenizer_kinds.h"
#include "text/sentencepiece_model.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;
using Type = VocabularyToken::Type;

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581, for a space
constexpr std::int64_t kMaxId = std::int64_t{1} << 21;

std::string_view view(const bj::string& s) { return {s.data(), s.size()}; }

// The steps of a normalizer or pre-tokenizer, a Sequence (`parts`) or a single one.
std::vector<const bj::object*> steps_of(const bj::object& root, std::string_view key,
                                        std::string_view parts) {
  const bj::value* value = root.if_contains(key);
  const bj::object* step = value == nullptr ? nullptr : value->if_object();
  if (step == nullptr) return {};
  const bj::value* inner = step->if_contains(parts);
  if (inner == nullptr || !inner->is_array()) return {step};
  std::vector<const bj::object*> steps;
  for (const bj::value& part : inner->get_array()) {
    if (part.is_object()) steps.push_back(&part.get_object());
  }
  return steps;
}

std::string_view text_of(const bj::object& object, std::string_view key) {
  const bj::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? view(value->get_string()) : std::string_view();
}

bool flag_of(const bj::object& object, std::string_view key, bool fallback) {
  const bj::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() ? value->get_bool() : fallback;
}

// {"pattern": {"Regex": "..."}}, or String.
std::string_view pattern_of(const bj::object& step, std::string_view kind) {
  const bj::value* pattern = step.if_contains("pattern");
  return pattern != nullptr && pattern->is_object() ? text_of(pattern->get_object(), kind)
                                                    : std::string_view();
}

bool is_byte(std::string_view token) {
  return token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
}

class TableReader {
 public:
  TableReader(const bj::object& root, const bj::object& model, const TokenizerFiles& beside,
              std::string_view file)
      : root_(root), model_(model), beside_(beside), file_(file) {}

  Result<VocabularyTable> read(std::string_view sentencepiece) {
    const auto pre = steps_of(root_, "pre_tokenizer", "pretokenizers");
    table_.scored = std::ranges::none_of(
        pre, [](const bj::object* step) { return text_of(*step, "type") == "ByteLevel"; });
    OCELLUS_RETURN_IF_ERROR(table_.scored ? read_spaces(pre) : read_pre_tokenizer(pre));
    OCELLUS_RETURN_IF_ERROR(read_tokens());
    if (table_.scored) OCELLUS_RETURN_IF_ERROR(read_scores(sentencepiece));
    if (table_.scored && same_rules()) return std::move(table_);
    for (const auto& [left, right] : merges_) {
      if (left.find(' ') != std::string_view::npos || right.find(' ') != std::string_view::npos)
        return std::unexpected(unsupported("a merge of a token with a space in it"));
      table_.merges.push_back(std::string(left).append(" ").append(right));
    }
    return std::move(table_);
  }

 private:
  Error unsupported(std::string_view what) const {
    return {ErrorCode::kUnsupported, fmt::format("{}: {} has no form in a GGUF file", file_, what)};
  }

  // A scored vocabulary's spaces: written as U+2581, with one in front or not.
  Status read_spaces(const std::vector<const bj::object*>& pre) {
    if (!flag_of(model_, "byte_fallback", false))
      return std::unexpected(
          unsupported("a vocabulary without byte_fallback that is not byte-level"));
    table_.prefix = PrefixSpace::kNone;
    for (const bj::object* step : steps_of(root_, "normalizer", "normalizers")) {
      const std::string_view type = text_of(*step, "type");
      if (type == "Prepend" && text_of(*step, "prepend") == kSpace) {
        table_.prefix = PrefixSpace::kEveryText;
      } else if (type != "Replace" || pattern_of(*step, "String") != " " ||
                 text_of(*step, "content") != kSpace) {
        return std::unexpected(unsupported(fmt::format("normalizer {}", type)));
      }
    }
    for (const bj::object* step : pre) {
      const std::string_view type = text_of(*step, "type");
      if (type != "Metaspace" || flag_of(*step, "split", true))
        return std::unexpected(unsupported(fmt::format("pre_tokenizer {}", type)));
      const std::string_view scheme = text_of(*step, "prepend_scheme");
      const bool always =
          scheme.empty() ? flag_of(*step, "add_prefix_space", true) : scheme == "always";
      if (table_.prefix != PrefixSpace::kNone && (always || scheme == "first"))
        return std::unexpected(unsupported("a prefix space of both normalizer and pre_tokenizer"));
      if (always) table_.prefix = PrefixSpace::kUnlessSpaced;
      if (scheme == "first") table_.prefix = PrefixSpace::kStartOnly;
    }
    return {};
  }

  // A byte-level vocabulary's pre-tokenizer, by the name that GGUF files use.
  Status read_pre_tokenizer(const std::vector<const bj::object*>& pre) {
    std::string_view split;
    bool digits = false;
    for (const bj::object* step : pre) {
      const std::string_view type = text_of(*step, "type");
      if (type == "Split" && split.empty() && text_of(*step, "behavior") == "Isolated" &&
          !flag_of(*step, "invert", false)) {
        split = pattern_of(*step, "Regex");
      } else if (type == "Digits" && step == pre.front() &&
                 flag_of(*step, "individual_digits", false)) {
        digits = true;
      } else if (type != "ByteLevel" || flag_of(*step, "add_prefix_space", true) ||
                 flag_of(*step, "use_regex", true) != split.empty()) {
        return std::unexpected(unsupported(fmt::format("pre_tokenizer {}", type)));
      }
    }
    bool nfc = false;
    for (const bj::object* step : steps_of(root_, "normalizer", "normalizers")) {
      if (text_of(*step, "type") != "NFC") {
        return std::unexpected(unsupported(fmt::format("normalizer {}", text_of(*step, "type"))));
      }
      nfc = true;
    }
    const bool ignore_merges = flag_of(model_, "ignore_merges", false);
    for (const PreTokenizerKind& kind : kPreTokenizerKinds) {
      if (kind.split == split && kind.ignore_merges == ignore_merges && kind.nfc == nfc &&
          kind.digits == digits) {
        table_.pre_tokenizer = kind.name;
        return {};
      }
    }
    return std::unexpected(unsupported(
        fmt::format("pattern \"{}\" with ignore_merges {} and NFC {}", split, ignore_merges, nfc)));
  }

  Status place(std::string text, std::int64_t id, Type type) {
    if (id < 0 || id > kMaxId) {
      return make_error(ErrorCode::kBadModel, "{}: \"{}\": expected an id from 0 to {}, found {}",
                        file_, text, kMaxId, id);
    }
    if (static_cast<std::size_t>(id) >= table_.tokens.size())
      table_.tokens.resize(static_cast<std::size_t>(id) + 1, {"", 0, Type::kUnused});
    table_.tokens[static_cast<std::size_t>(id)] = {std::move(text), 0, type};
    return {};
  }

  Status read_tokens() {
    const bj::value* vocab = model_.if_contains("vocab");
    const bj::value* merges = model_.if_contains("merges");
    if (vocab == nullptr || !vocab->is_object() || merges == nullptr || !merges->is_array())
      return make_error(ErrorCode::kBadModel, "{}: model: expected vocab and merges", file_);
    const std::string_view unknown = text_of(model_, "unk_token");
    for (const auto& [key, id] : vocab->get_object()) {
      const std::string_view text(key.data(), key.size());
      const Type type = !unknown.empty() && text == unknown ? Type::kUnknown
                        : table_.scored && is_byte(text)    ? Type::kByte
                                                            : Type::kNormal;
      OCELLUS_RETURN_IF_ERROR(place(std::string(text), id.is_int64() ? id.get_int64() : -1, type));
    }
    const bj::object& plain = vocab->get_object();
    const PlainVocabulary vocabulary{
        .id_of = [&](std::string_view text) -> std::optional<std::int32_t> {
          const bj::value* const id = plain.if_contains({text.data(), text.size()});
          return id == nullptr ? std::nullopt
                               : std::optional(static_cast<std::int32_t>(id->to_number<int>()));
        },
        .size = static_cast<std::int32_t>(plain.size())};
    OCELLUS_ASSIGN_OR_RETURN(std::vector<AddedToken> added,
                             read_added_tokens(root_, beside_, vocabulary, file_));
    for (AddedToken& token : added) {
      const Type type = !unknown.empty() && token.content == unknown ? Type::kUnknown
                        : token.special                              ? Type::kControl
                                                                     : Type::kUserDefined;
      OCELLUS_RETURN_IF_ERROR(place(std::move(token.content), token.id, type));
    }
    for (const bj::value& merge : merges->get_array()) {
      if (merge.is_string()) {
        const std::string_view pair = view(merge.get_string());
        const std::size_t space = pair.find(' ');
        if (space == std::string_view::npos) continue;
        merges_.emplace_back(pair.substr(0, space), pair.substr(space + 1));
      } else if (merge.is_array() && merge.get_array().size() == 2) {
        const bj::array& pair = merge.get_array();
        if (pair[0].is_string() && pair[1].is_string())
          merges_.emplace_back(view(pair[0].get_string()), view(pair[1].get_string()));
      }
    }
    return {};
  }

  Status read_scores(std::string_view sentencepiece) {
    if (!sentencepiece.empty()) {
      OCELLUS_ASSIGN_OR_RETURN(const std::vector<VocabularyToken> scored,
                               read_sentencepiece(sentencepiece, "tokenizer.model"));
      const bool same = scored.size() <= table_.tokens.size() &&
                        std::ranges::equal(scored, std::span(table_.tokens).first(scored.size()),
                                           {}, &VocabularyToken::text, &VocabularyToken::text);
      if (same) {
        for (std::size_t i = 0; i < scored.size(); ++i) table_.tokens[i].score = scored[i].score;
        return {};
      }
    }
    // A token is as good as the best merge that makes it; what no merge makes comes last.
    std::unordered_map<std::string, float> ranks;
    for (const auto& [left, right] : merges_) {
      const auto rank = static_cast<float>(ranks.size());
      ranks.emplace(std::string(left).append(right), -rank);
    }
    for (VocabularyToken& token : table_.tokens) {
      const auto found = ranks.find(token.text);
      token.score = found != ranks.end() ? found->second : -static_cast<float>(ranks.size());
      if (token.type != Type::kNormal) token.score = 0;
    }
    return {};
  }

  // Whether the merges are all ways to cut all tokens, as a scored vocabulary has it.
  bool same_rules() const {
    std::unordered_set<std::string_view> texts;
    for (const VocabularyToken& token : table_.tokens) {
      if (token.type != Type::kUnused) texts.insert(token.text);
    }
    std::size_t cuts = 0;
    for (const VocabularyToken& token : table_.tokens) {
      if (token.type != Type::kNormal && token.type != Type::kUserDefined) continue;
      const std::string_view text = token.text;
      for (std::size_t cut = 1; cut < text.size(); ++cut) {
        if ((static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) continue;
        cuts += texts.contains(text.substr(0, cut)) && texts.contains(text.substr(cut)) ? 1 : 0;
      }
    }
    // A merge is a cut of a token, as the tokenizer's own reader has checked.
    return cuts == merges_.size();
  }

  const bj::object& root_;
  const bj::object& model_;
  const TokenizerFiles& beside_;
  std::string file_;
  VocabularyTable table_;
  std::vector<std::pair<std::string_view, std::string_view>> merges_;
};

}  // namespace

Result<VocabularyTable> read_vocabulary_json(std::string_view json, const TokenizerFiles& beside,
                                             std::string_view sentencepiece,
                                             std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const auto checked, Tokenizer::parse_json(json, beside, file));
  OCELLUS_ASSIGN_OR_RETURN(const bj::value document, json::parse_python(json, file));
  const bj::object& root = document.get_object();  // as the tokenizer's reader has checked
  return TableReader(root, root.at("model").get_object(), beside, file).read(sentencepiece);
}

Result<VocabularyTable> read_vocabulary_sentencepiece(std::string_view model,
                                                      const TokenizerFiles& beside,
                                                      std::string_view file) {
  VocabularyTable table;
  table.scored = true;
  OCELLUS_ASSIGN_OR_RETURN(table.tokens, read_sentencepiece(model, file));
  OCELLUS_ASSIGN_OR_RETURN(std::vector<AddedToken> added,
                           place_added_tokens(beside, table.tokens, file));
  for (AddedToken& token : added) {
    if (token.id < 0 || token.id > kMaxId) {
      return make_error(ErrorCode::kBadModel,
                        "{}: added token \"{}\": expected an id from 0 to {}, found {}", file,
                        token.content, kMaxId, token.id);
    }
    const auto id = static_cast<std::size_t>(token.id);
    if (id >= table.tokens.size()) table.tokens.resize(id + 1, {"", 0, Type::kUnused});
    VocabularyToken& known = table.tokens[id];
    if (known.type == Type::kUnknown) continue;
    known = {std::move(token.content), 0, token.special ? Type::kControl : Type::kUserDefined};
  }
  return table;
}

}  // namespace ocellus::text
