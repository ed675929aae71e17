#include "text/detokenizer.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace ocellus::text {

// Decoders look at neighbours (the first space of a text goes, byte tokens join), so the new text
// is the difference between the decoded text with and without the new token, where one token before
// it is context enough.
std::string Detokenizer::push(std::int32_t id) {
  const std::string_view token = tokenizer_->token_text(id);
  if (token.empty() || tokenizer_->is_special(id)) return "";
  const TokenDecoder& decoder = tokenizer_->decoder();
  const std::size_t before = decoder.apply_raw(context_).size();
  context_.emplace_back(token);
  const std::string after = decoder.apply_raw(context_);
  if (after.size() > before) pending_ += after.substr(before);
  if (context_.size() > 1) context_.erase(context_.begin());
  const std::size_t certain = pending_.size() - base::incomplete_utf8_suffix(pending_);
  std::string text = base::replace_invalid_utf8(std::string_view(pending_).substr(0, certain));
  pending_.erase(0, certain);
  return text;
}

std::string Detokenizer::finish() {
  std::string text = base::replace_invalid_utf8(pending_);
  pending_.clear();
  return text;
}

std::string Detokenizer::bytes_of(std::int32_t id) const {
  const std::string_view token = tokenizer_->token_text(id);
  if (token.empty() || tokenizer_->is_special(id)) return std::string(token);
  const TokenDecoder& decoder = tokenizer_->decoder();
  const std::size_t before = decoder.apply_raw(context_).size();
  std::vector<std::string> tokens = context_;
  tokens.emplace_back(token);
  const std::string after = decoder.apply_raw(std::move(tokens));
  return after.size() > before ? after.substr(before) : "";
}

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopMatcher::push(std::string_view text) {
  if (stopped_) return "";
  held_ += text;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    std::string result = held_.substr(0, first);
    held_.clear();
    return result;
  }
  // The longest end of the text that is the beginning of a stop string stays.
  std::size_t keep = 0;
  for (const std::string& stop : stops_) {
    for (std::size_t length = std::min(stop.size() - 1, held_.size()); length > keep; --length) {
      if (std::string_view(held_).substr(held_.size() - length) ==
          std::string_view(stop).substr(0, length)) {
        keep = length;
        break;
      }
    }
  }
  // A character is not cut in two by holding back its first byte.
  std::size_t end = held_.size() - keep;
  while (end > 0 && (static_cast<unsigned char>(held_[end]) & 0xC0) == 0x80) --end;
  std::string result = held_.substr(0, end);
  held_.erase(0, end);
  return result;
}

std::string StopMatcher::finish() { return stopped_ ? "" : std::exchange(held_, ""); }

}  // namespace ocellus::text
