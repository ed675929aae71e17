#include "text/added_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

#include "base/result.h"
#include "json/python_json.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;

constexpr std::int64_t kMaxId = std::int64_t{1} << 21;
constexpr std::string_view kConfig = "tokenizer_config.json";
constexpr std::string_view kMap = "special_tokens_map.json";
constexpr std::string_view kAdded = "added_tokens.json";

// The keys that name one special token each.
constexpr std::string_view kNamed[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                       "pad_token", "cls_token", "mask_token"};

std::string_view view(const bj::string& s) { return {s.data(), s.size()}; }
std::string_view view(bj::string_view s) { return {s.data(), s.size()}; }

// Null where the text is empty.
Result<bj::value> parse_file(std::string_view text, std::string_view file) {
  if (text.empty()) return bj::value(bj::object());
  OCELLUS_ASSIGN_OR_RETURN(bj::value document, json::parse_python(text, file));
  if (!document.is_object())
    return make_error(ErrorCode::kBadModel, "{}: expected an object", file);
  return document;
}

// Content and flags; no id.
Result<AddedToken> read_added_token(const bj::object& object, std::string_view what) {
  AddedToken token{.content = {}, .id = kNoId};
  OCELLUS_ASSIGN_OR_RETURN(token.content, json::get_string_or(object, "content", what, ""));
  OCELLUS_ASSIGN_OR_RETURN(token.special, json::get_bool_or(object, "special", what, false));
  OCELLUS_ASSIGN_OR_RETURN(token.normalized,
                           json::get_bool_or(object, "normalized", what, !token.special));
  OCELLUS_ASSIGN_OR_RETURN(token.lstrip, json::get_bool_or(object, "lstrip", what, false));
  OCELLUS_ASSIGN_OR_RETURN(token.rstrip, json::get_bool_or(object, "rstrip", what, false));
  OCELLUS_ASSIGN_OR_RETURN(token.single_word,
                           json::get_bool_or(object, "single_word", what, false));
  return token;
}

// The special tokens that files name, in the order of their names' first appearance.
class SpecialTokens {
 public:
  // A text, or an object with content and flags.
  Status add(std::string_view name, const bj::value& value, std::string_view file) {
    AddedToken token{.content = {}, .id = kNoId, .special = true};
    if (value.is_string()) {
      token.content = view(value.get_string());
    } else if (value.is_object()) {
      OCELLUS_ASSIGN_OR_RETURN(
          token, read_added_token(value.get_object(), fmt::format("{}: {}", file, name)));
      token.id = kNoId;
      token.special = true;
    }
    if (token.content.empty()) return {};
    const auto known = std::ranges::find(names_, name);
    if (known == names_.end()) {
      names_.emplace_back(name);
      tokens_.push_back(std::move(token));
    } else {
      tokens_[static_cast<std::size_t>(known - names_.begin())] = std::move(token);
    }
    return {};
  }

  Status add_all(const bj::object& file, std::string_view what) {
    for (const std::string_view name : kNamed) {
      if (const bj::value* value = file.if_contains({name.data(), name.size()}))
        OCELLUS_RETURN_IF_ERROR(add(name, *value, what));
    }
    for (const auto& [key, value] : file) {
      const std::string_view name = view(key);
      const bool named = std::ranges::find(kNamed, name) != std::end(kNamed);
      if (name.ends_with("_token") && !named) OCELLUS_RETURN_IF_ERROR(add(name, value, what));
      if (name != "extra_special_tokens" && name != "additional_special_tokens") continue;
      if (const bj::array* list = value.if_array()) {
        for (std::size_t i = 0; i < list->size(); ++i)
          OCELLUS_RETURN_IF_ERROR(add(fmt::format("{} {}", name, i), (*list)[i], what));
      } else if (const bj::object* map = value.if_object()) {
        for (const auto& [inner, token] : *map)
          OCELLUS_RETURN_IF_ERROR(add(view(inner), token, what));
      }
    }
    return {};
  }

  bool names(std::string_view content) const {
    return std::ranges::find(tokens_, content, &AddedToken::content) != tokens_.end();
  }
  std::vector<AddedToken> take() { return std::move(tokens_); }

 private:
  std::vector<std::string> names_;
  std::vector<AddedToken> tokens_;
};

// {"32000": {"content": ..., "special": ...}}
Result<std::vector<AddedToken>> read_decoder(const bj::object& decoder) {
  std::map<std::int32_t, AddedToken> by_id;
  for (const auto& [key, value] : decoder) {
    const std::string what = fmt::format("{}: added_tokens_decoder: {}", kConfig, view(key));
    std::int32_t id = 0;
    const auto [end, ec] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (ec != std::errc() || end != key.data() + key.size() || id < 0 || id > kMaxId ||
        !value.is_object()) {
      return make_error(ErrorCode::kBadModel,
                        "{}: expected an id from 0 to {} as the key and an object", what, kMaxId);
    }
    OCELLUS_ASSIGN_OR_RETURN(AddedToken token, read_added_token(value.get_object(), what));
    token.id = id;
    if (!token.content.empty()) by_id.insert_or_assign(id, std::move(token));
  }
  std::vector<AddedToken> tokens;
  for (auto& [id, token] : by_id) tokens.push_back(std::move(token));
  return tokens;
}

// {"<image>": 32000}
Result<std::vector<AddedToken>> read_encoder(const bj::object& encoder,
                                             const SpecialTokens& special) {
  std::map<std::int64_t, AddedToken> by_id;
  for (const auto& [content, id] : encoder) {
    if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() > kMaxId) {
      return make_error(ErrorCode::kBadModel, "{}: {}: expected an id from 0 to {}", kAdded,
                        view(content), kMaxId);
    }
    const bool is_special = special.names(view(content));
    if (content.empty()) continue;
    by_id.insert_or_assign(id.get_int64(),
                           AddedToken{.content = std::string(view(content)),
                                      .id = static_cast<std::int32_t>(id.get_int64()),
                                      .special = is_special,
                                      .normalized = !is_special});
  }
  std::vector<AddedToken> tokens;
  for (auto& [id, token] : by_id) tokens.push_back(std::move(token));
  return tokens;
}

}  // namespace

Result<std::vector<AddedToken>> read_more_tokens(const TokenizerFiles& files) {
  OCELLUS_ASSIGN_OR_RETURN(const bj::value config, parse_file(files.config, kConfig));
  SpecialTokens special;
  OCELLUS_RETURN_IF_ERROR(special.add_all(config.get_object(), kConfig));
  OCELLUS_ASSIGN_OR_RETURN(
      const bj::object* const decoder,
      json::get_object_or_null(config.get_object(), "added_tokens_decoder", kConfig));
  std::vector<AddedToken> tokens;
  if (decoder != nullptr) {
    OCELLUS_ASSIGN_OR_RETURN(tokens, read_decoder(*decoder));
  } else {
    OCELLUS_ASSIGN_OR_RETURN(const bj::value map, parse_file(files.special_map, kMap));
    OCELLUS_RETURN_IF_ERROR(special.add_all(map.get_object(), kMap));
    OCELLUS_ASSIGN_OR_RETURN(const bj::value added, parse_file(files.added, kAdded));
    OCELLUS_ASSIGN_OR_RETURN(tokens, read_encoder(added.get_object(), special));
  }
  for (AddedToken& token : tokens) token.special |= special.names(token.content);
  for (AddedToken& token : special.take()) tokens.push_back(std::move(token));
  return tokens;
}

Result<std::vector<AddedToken>> read_added_tokens(const bj::object& root,
                                                  const TokenizerFiles& beside,
                                                  const PlainVocabulary& vocabulary,
                                                  std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const bj::array* const list,
                           json::get_array_or_null(root, "added_tokens", file));
  const std::string what = fmt::format("{}: added_tokens", file);
  std::vector<AddedToken> added;
  if (list != nullptr) {
    for (const bj::value& value : *list) {
      if (!value.is_object()) return make_error(ErrorCode::kBadModel, "{}: expected objects", what);
      OCELLUS_ASSIGN_OR_RETURN(AddedToken token, read_added_token(value.get_object(), what));
      OCELLUS_ASSIGN_OR_RETURN(const std::int64_t id,
                               json::get_int(value.get_object(), "id", what, 0, kMaxId));
      token.id = static_cast<std::int32_t>(id);
      if (token.content.empty()) {
        return make_error(ErrorCode::kBadModel,
                          "{}: id {}: content: expected a text, found an empty one", what, id);
      }
      added.push_back(std::move(token));
    }
  }
  OCELLUS_ASSIGN_OR_RETURN(std::vector<AddedToken> more, read_more_tokens(beside));
  std::int32_t next = vocabulary.size;
  for (const AddedToken& token : added) next = std::max(next, token.id + 1);
  for (AddedToken& token : more) {
    const auto same = std::ranges::find(added, token.content, &AddedToken::content);
    if (same == added.end()) {
      const auto known = vocabulary.id_of(token.content);
      token.id = known ? *known : next++;
      added.push_back(std::move(token));
    } else if (token.id != kNoId) {  // one that is only called special changes nothing
      token.id = same->id;
      *same = std::move(token);
    }
  }
  return added;
}

}  // namespace ocellus::text
