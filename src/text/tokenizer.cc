#include "text/tokenizer.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/result.h"
#include "base/utf8.h"

namespace ocellus::text {
namespace {

constexpr std::string_view kSpaces = " \t\r\n\v\f";

// Whether the character that begins or ends here could belong to a word.
bool is_word(utf8proc_int32_t point) {
  switch (utf8proc_category(point)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

utf8proc_int32_t point_at(std::string_view text, std::size_t at) {
  utf8proc_int32_t point = -1;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                   static_cast<utf8proc_ssize_t>(text.size() - at), &point);
  return point;
}

bool inside_word(std::string_view text, std::size_t begin, std::size_t end) {
  if (end < text.size() && is_word(point_at(text, end))) return true;
  if (begin == 0) return false;
  std::size_t before = begin - 1;
  while (before > 0 && (static_cast<unsigned char>(text[before]) & 0xC0) == 0x80) --before;
  return is_word(point_at(text, before));
}

struct Match {
  std::size_t begin, end;
  const AddedToken* token;
};

// The leftmost match from `from` on, the longest of those that begin there.
template <typename Allowed>
std::optional<Match> find_added(std::string_view text, std::size_t from,
                                const std::vector<AddedToken>& added,
                                const std::string& first_bytes, Allowed&& allowed) {
  for (std::size_t at = text.find_first_of(first_bytes, from); at != std::string_view::npos;
       at = text.find_first_of(first_bytes, at + 1)) {
    const AddedToken* best = nullptr;
    for (const AddedToken& token : added) {
      if (text.compare(at, token.content.size(), token.content) != 0) continue;
      if (best != nullptr && token.content.size() <= best->content.size()) continue;
      if (!allowed(token, at, at + token.content.size())) continue;
      if (token.single_word && inside_word(text, at, at + token.content.size())) continue;
      best = &token;
    }
    if (best != nullptr) return Match{at, at + best->content.size(), best};
  }
  return std::nullopt;
}

std::string first_bytes_of(const std::vector<AddedToken>& added, bool normalized) {
  std::string bytes;
  for (const AddedToken& token : added) {
    if (token.normalized == normalized && bytes.find(token.content.front()) == std::string::npos)
      bytes += token.content.front();
  }
  return bytes;
}

}  // namespace

Status Tokenizer::finish(std::string_view file) {
  constexpr std::int32_t kMaxId = 1 << 21;
  std::int32_t max = -1;
  for (const auto& [text, id] : bpe_.vocabulary()) max = std::max(max, id);
  for (const AddedToken& token : added_) max = std::max(max, token.id);
  if (max < 0 || max > kMaxId) {
    return base::make_error(ErrorCode::kBadModel, "{}: token ids: expected 0 to {}, found {}", file,
                            kMaxId, max);
  }
  tokens_.assign(static_cast<std::size_t>(max) + 1, "");
  special_.assign(tokens_.size(), false);
  for (const auto& [text, id] : bpe_.vocabulary()) {
    if (id < 0)
      return base::make_error(ErrorCode::kBadModel,
                              "{}: token \"{}\": expected an id from 0, found {}", file, text, id);
    tokens_[static_cast<std::size_t>(id)] = text;
  }
  std::vector<std::int32_t> forbidden;
  for (const AddedToken& token : added_) {
    if (token.id < 0 || token.content.empty()) {
      return base::make_error(ErrorCode::kBadModel,
                              "{}: added token \"{}\": expected a text and an id from "
                              "0, found id {}",
                              file, token.content, token.id);
    }
    tokens_[static_cast<std::size_t>(token.id)] = token.content;
    special_[static_cast<std::size_t>(token.id)] = token.special;
    if (token.special) forbidden.push_back(token.id);
  }
  bpe_.forbid(forbidden);
  return {};
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool trusted,
                                            bool add_special_tokens) const {
  const Segment segment{std::string(text), trusted};
  return encode({&segment, 1}, add_special_tokens);
}

std::vector<std::int32_t> Tokenizer::encode(std::span<const Segment> segments,
                                            bool add_special_tokens) const {
  std::string text, trusted;  // who wrote each byte
  for (const Segment& segment : segments) {
    text +=
        base::is_valid_utf8(segment.text) ? segment.text : base::replace_invalid_utf8(segment.text);
    trusted.resize(text.size(), segment.trusted ? '\1' : '\0');
  }
  std::vector<std::int32_t> ids;
  if (add_special_tokens) ids = prefix_;
  const std::string first_bytes = first_bytes_of(added_, false);
  const auto allowed = [&](const AddedToken& token, std::size_t begin, std::size_t end) {
    return !token.normalized && (!token.special || all_trusted(trusted, begin, end));
  };
  std::size_t done = 0;
  while (done < text.size()) {
    std::optional<Match> match;
    if (!first_bytes.empty()) match = find_added(text, done, added_, first_bytes, allowed);
    if (!match) break;
    std::size_t begin = match->begin, end = match->end;
    if (match->token->lstrip) {
      while (begin > done && kSpaces.find(text[begin - 1]) != std::string_view::npos) --begin;
    }
    if (match->token->rstrip) end = std::min(text.find_first_not_of(kSpaces, end), text.size());
    encode_text(std::string_view(text).substr(done, begin - done),
                trusted.substr(done, begin - done), done == 0, ids);
    ids.push_back(match->token->id);
    done = end;
  }
  encode_text(std::string_view(text).substr(done), trusted.substr(done), done == 0, ids);
  if (add_special_tokens) ids.insert(ids.end(), suffix_.begin(), suffix_.end());
  return ids;
}

// `trusted` has a byte for each of text's. Old files have special tokens that are looked for in
// normalised text, so who wrote what is carried through the normaliser.
void Tokenizer::encode_text(std::string_view text, std::string trusted, bool at_start,
                            std::vector<std::int32_t>& ids) const {
  if (text.empty()) return;
  const std::string first_bytes = first_bytes_of(added_, true);
  const std::string normalized = first_bytes.empty()
                                     ? normalizer_.apply(std::string(text))
                                     : normalizer_.apply(std::string(text), trusted);
  std::size_t done = 0;
  while (!first_bytes.empty() && done < normalized.size()) {
    const auto match = find_added(normalized, done, added_, first_bytes,
                                  [&](const AddedToken& token, std::size_t begin, std::size_t end) {
                                    return token.normalized &&
                                           (!token.special || all_trusted(trusted, begin, end));
                                  });
    if (!match) break;
    std::size_t begin = match->begin, end = match->end;
    if (match->token->lstrip) {
      while (begin > done && kSpaces.find(normalized[begin - 1]) != std::string_view::npos) --begin;
    }
    if (match->token->rstrip)
      end = std::min(normalized.find_first_not_of(kSpaces, end), normalized.size());
    encode_normalized(std::string_view(normalized).substr(done, begin - done),
                      at_start && done == 0, ids);
    ids.push_back(match->token->id);
    done = end;
  }
  encode_normalized(std::string_view(normalized).substr(done), at_start && done == 0, ids);
}

void Tokenizer::encode_normalized(std::string_view normalized, bool at_start,
                                  std::vector<std::int32_t>& ids) const {
  for (const std::string& word : pre_tokenizer_.apply(std::string(normalized), at_start))
    bpe_.encode(word, ids);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool skip_special) const {
  std::vector<std::string> tokens;
  for (const std::int32_t id : ids) {
    if (skip_special && is_special(id)) continue;
    const std::string_view text = token_text(id);
    if (!text.empty()) tokens.emplace_back(text);
  }
  return decoder_.apply(std::move(tokens));
}

std::optional<std::int32_t> Tokenizer::id_of(std::string_view text) const {
  for (const AddedToken& token : added_) {
    if (token.content == text) return token.id;
  }
  const auto found = bpe_.vocabulary().find(text);
  if (found == bpe_.vocabulary().end()) return std::nullopt;
  return found->second;
}

std::string_view Tokenizer::token_text(std::int32_t id) const {
  return id >= 0 && static_cast<std::size_t>(id) < tokens_.size()
             ? std::string_view(tokens_[static_cast<std::size_t>(id)])
             : std::string_view();
}

bool Tokenizer::is_special(std::int32_t id) const {
  return id >= 0 && static_cast<std::size_t>(id) < special_.size() &&
         special_[static_cast<std::size_t>(id)];
}

}  // namespace ocellus::text
