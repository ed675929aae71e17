#include "models/parts/gguf_image_token.h"

#include <algorithm>

namespace ocellus::models {

Result<std::int64_t> gguf_image_token(const Checkpoint& c, std::int64_t vocab_size,
                                      std::initializer_list<std::string_view> names) {
  const formats::GgufMetadata& file = c.gguf->language;
  const auto& tokens = c.vocabulary->tokens;
  if (file.has(formats::kGgufImageTokenKey))
    return file.integer(formats::kGgufImageTokenKey, 0, std::ssize(tokens) - 1);
  for (const std::string_view name : names) {
    const auto named = std::ranges::find(tokens, name);
    if (named != tokens.end()) return named - tokens.begin();
  }
  return std::max<std::int64_t>(vocab_size, std::ssize(tokens));
}

}  // namespace ocellus::models
