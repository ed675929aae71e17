#include "formats/gguf_vocabulary.h"

#include "base/result.h"

namespace ocellus::formats {

using base::make_error;

Result<GgufVocabulary> read_gguf_vocabulary(const GgufMetadata& file) {
  GgufVocabulary v;
  OCELLUS_ASSIGN_OR_RETURN(v.model, file.text("tokenizer.ggml.model"));
  OCELLUS_ASSIGN_OR_RETURN(const auto tokens, file.texts("tokenizer.ggml.tokens"));
  v.tokens.assign(tokens.begin(), tokens.end());
  const auto same_length = [&](std::string_view key, std::size_t length) -> Status {
    if (length == v.tokens.size()) return {};
    return make_error(ErrorCode::kBadModel,
                      "{}: {}: expected {} entries, one for each token, found {}", file.file(), key,
                      v.tokens.size(), length);
  };
  if (file.has("tokenizer.ggml.token_type")) {
    OCELLUS_ASSIGN_OR_RETURN(const auto types, file.numbers("tokenizer.ggml.token_type"));
    OCELLUS_RETURN_IF_ERROR(same_length("tokenizer.ggml.token_type", types.size()));
    for (const double type : types)
      v.types.push_back(type >= 1 && type <= 6 ? static_cast<std::int32_t>(type) : 1);
  } else {
    v.types.assign(v.tokens.size(), 1);
  }
  if (v.model == "llama") {
    OCELLUS_ASSIGN_OR_RETURN(const auto scores, file.numbers("tokenizer.ggml.scores"));
    OCELLUS_RETURN_IF_ERROR(same_length("tokenizer.ggml.scores", scores.size()));
    v.scores.assign(scores.begin(), scores.end());
    if (file.has(kGgufMergesKey)) {
      OCELLUS_ASSIGN_OR_RETURN(const auto merges, file.texts(kGgufMergesKey));
      v.merges.assign(merges.begin(), merges.end());
    }
  } else if (v.model == "gpt2") {
    OCELLUS_ASSIGN_OR_RETURN(const auto merges, file.texts("tokenizer.ggml.merges"));
    v.merges.assign(merges.begin(), merges.end());
    OCELLUS_ASSIGN_OR_RETURN(v.pre, file.text_or("tokenizer.ggml.pre", "default"));
  } else {
    return make_error(ErrorCode::kUnsupported,
                      "{}: tokenizer.ggml.model: expected llama or gpt2, found \"{}\"", file.file(),
                      v.model);
  }
  OCELLUS_ASSIGN_OR_RETURN(
      const bool add_bos,
      file.boolean_or("tokenizer.ggml.add_bos_token", v.model == "llama" || v.pre == "llama-bpe"));
  if (add_bos && file.has("tokenizer.ggml.bos_token_id")) {
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t bos,
                             file.integer("tokenizer.ggml.bos_token_id", 0,
                                          static_cast<std::int64_t>(v.tokens.size()) - 1));
    v.bos = static_cast<std::int32_t>(bos);
  }
  OCELLUS_ASSIGN_OR_RETURN(v.prefix_space,
                           file.boolean_or("tokenizer.ggml.add_space_prefix", true));
  OCELLUS_ASSIGN_OR_RETURN(v.metaspace, file.text_or(kGgufMetaspaceKey, ""));
  return v;
}

}  // namespace ocellus::formats
