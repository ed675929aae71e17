#include "convert/gguf_export_metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/result.h"
#include "tensor/weight_types.h"

namespace ocellus::convert {
namespace {

using base::make_error;
using formats::GgufWriter;
using tensor::DType;

// Of the k types those whose layers are all of one type.
std::uint32_t file_type(DType weights) {
  const auto& gguf = tensor::weight_type(weights).gguf;
  return gguf ? gguf->file_type : 0;
}

std::uint32_t u32(std::int64_t value) { return static_cast<std::uint32_t>(value); }

// GGUF has keys for the tokens that end an answer only.
void put_generation(GgufWriter& w, const models::Checkpoint& c) {
  formats::GenerationConfig rest = c.generation;
  rest.eos_tokens.clear();
  if (rest == formats::GenerationConfig()) return;
  w.put_text(formats::kGgufGenerationKey, c.text("generation_config.json"));
}

}  // namespace

void put_file_type(GgufWriter& writer, DType weights) {
  writer.put_u32(kFileTypeKey, file_type(weights));
  constexpr std::uint32_t kVersion = 2;  // ggml's GGML_QNT_VERSION
  writer.put_u32(kQuantizationKey, kVersion);
}

Status put_tokens(GgufWriter& w, const models::ModelDescription& model,
                  const formats::GgufVocabulary& v) {
  const models::Checkpoint& c = model.tensors().checkpoint();
  const models::ModelTokens& ids = model.tokens();
  w.put_text("tokenizer.ggml.model", v.model);
  w.put_text("tokenizer.ggml.pre", v.model == "gpt2" ? v.pre : "default");
  const std::vector<std::string_view> tokens(v.tokens.begin(), v.tokens.end());
  w.put_texts("tokenizer.ggml.tokens", tokens);
  if (v.model == "llama") w.put_f32s("tokenizer.ggml.scores", v.scores);
  w.put_i32s("tokenizer.ggml.token_type", v.types);
  if (v.model == "gpt2" || !v.merges.empty()) {
    const std::vector<std::string_view> merges(v.merges.begin(), v.merges.end());
    w.put_texts(v.model == "gpt2" ? "tokenizer.ggml.merges" : formats::kGgufMergesKey, merges);
  }
  const auto size = static_cast<std::int64_t>(v.tokens.size());
  const auto put_id = [&](const char* key, std::int64_t id) -> Status {
    if (id >= size) {
      return make_error(ErrorCode::kBadModel,
                        "{}: {}: expected a token of the vocabulary of {}, found {}",
                        c.path.string(), key, size, id);
    }
    if (id >= 0) w.put_u32(key, u32(id));
    return {};
  };
  OCELLUS_RETURN_IF_ERROR(
      put_id("tokenizer.ggml.bos_token_id", v.bos ? std::int64_t{*v.bos} : ids.bos));
  // The reader's three keys for tokens that end an answer.
  constexpr const char* kEnds[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                   "tokenizer.ggml.eom_token_id"};
  const auto& ends = c.generation.eos_tokens.empty() ? ids.eos : c.generation.eos_tokens;
  for (std::size_t i = 0; i < ends.size() && i < std::size(kEnds); ++i)
    OCELLUS_RETURN_IF_ERROR(put_id(kEnds[i], ends[i]));
  if (ends.size() > std::size(kEnds)) {
    base::log(base::LogLevel::kWarning,
              fmt::format("{}: eos_token_id: {} tokens, of which GGUF has keys for {}",
                          c.path.string(), ends.size(), std::size(kEnds)));
  }
  const auto unknown = std::ranges::find(v.types, 2);
  if (unknown != v.types.end())
    OCELLUS_RETURN_IF_ERROR(put_id("tokenizer.ggml.unknown_token_id", unknown - v.types.begin()));
  OCELLUS_RETURN_IF_ERROR(put_id("tokenizer.ggml.padding_token_id", ids.pad));
  w.put_bool("tokenizer.ggml.add_bos_token", v.bos.has_value());
  if (v.model == "llama") w.put_bool("tokenizer.ggml.add_space_prefix", v.prefix_space);
  if (!v.metaspace.empty()) w.put_text(formats::kGgufMetaspaceKey, v.metaspace);
  if (c.chat_template) w.put_text("tokenizer.chat_template", *c.chat_template);
  put_generation(w, c);
  // Other engines know where an image goes without a name; ours goes by "<image>", or by this.
  const std::int64_t image = ids.image;
  if (image >= 0 && image < size && v.tokens[static_cast<std::size_t>(image)] != "<image>")
    w.put_u32(formats::kGgufImageTokenKey, u32(image));
  return {};
}

}  // namespace ocellus::convert
