#include "convert/gguf_export.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/result.h"
#include "convert/gguf_export_metadata.h"
#include "models/gguf_names.h"
#include "models/parts/rope.h"

namespace ocellus::convert {
namespace {

using base::make_error;
using tensor::DType;
using tensor::Shape;

// Adds the tensors of a Hugging Face checkpoint by their canonical names.
class Adder {
 public:
  Adder(const models::Checkpoint& checkpoint, bool tower, DType weights, GgufExport& out)
      : checkpoint_(checkpoint), tower_(tower), weights_(weights), out_(out) {}

  // `shape` as the reference's modules have it.
  Status add(const std::string& canonical, const Shape& shape, std::int64_t pair_heads = 0) {
    const auto name =
        tower_ ? models::gguf_tower_name(canonical) : models::gguf_language_name(canonical);
    if (!name) {
      return make_error(ErrorCode::kInternal, "tensor {} has no name in GGUF files", canonical);
    }
    OCELLUS_ASSIGN_OR_RETURN(const tensor::TensorView view, checkpoint_.tensor(canonical, shape));
    const DType type = exported_type(*name, view.dtype, shape, weights_, tower_);
    out_.writer.add_tensor(*name, type, shape);
    out_.tensors.push_back({*name, view, type, pair_heads});
    return {};
  }

  Status linear(const std::string& canonical, std::int64_t out, std::int64_t in, bool bias,
                std::int64_t pair_heads = 0) {
    OCELLUS_RETURN_IF_ERROR(add(canonical + ".weight", {out, in}, pair_heads));
    return bias ? add(canonical + ".bias", {out}, pair_heads) : Status();
  }

  Status norm(const std::string& canonical, std::int64_t size, bool bias) {
    OCELLUS_RETURN_IF_ERROR(add(canonical + ".weight", {size}));
    return bias ? add(canonical + ".bias", {size}) : Status();
  }

 private:
  const models::Checkpoint& checkpoint_;
  bool tower_;
  DType weights_;
  GgufExport& out_;
};

Status add_language_layer(Adder& adder, const formats::LanguageConfig& l, std::int64_t number) {
  const std::string name = fmt::format("language.layers.{}.", number);
  const std::int64_t hidden = l.hidden_size, q = l.heads * l.head_dim, kv = l.kv_heads * l.head_dim;
  const bool paired = gguf_architecture(l) == "llama";
  const bool bias = l.attention_qkv_bias;
  OCELLUS_RETURN_IF_ERROR(adder.norm(name + "input_layernorm", hidden, false));
  OCELLUS_RETURN_IF_ERROR(
      adder.linear(name + "self_attn.q_proj", q, hidden, bias, paired ? l.heads : 0));
  OCELLUS_RETURN_IF_ERROR(
      adder.linear(name + "self_attn.k_proj", kv, hidden, bias, paired ? l.kv_heads : 0));
  OCELLUS_RETURN_IF_ERROR(adder.linear(name + "self_attn.v_proj", kv, hidden, bias));
  OCELLUS_RETURN_IF_ERROR(
      adder.linear(name + "self_attn.o_proj", hidden, q, l.attention_output_bias));
  OCELLUS_RETURN_IF_ERROR(adder.norm(name + "post_attention_layernorm", hidden, false));
  OCELLUS_RETURN_IF_ERROR(
      adder.linear(name + "mlp.gate_proj", l.intermediate_size, hidden, l.mlp_bias));
  OCELLUS_RETURN_IF_ERROR(
      adder.linear(name + "mlp.up_proj", l.intermediate_size, hidden, l.mlp_bias));
  return adder.linear(name + "mlp.down_proj", hidden, l.intermediate_size, l.mlp_bias);
}

Status add_tower_layer(Adder& adder, const formats::TowerConfig& t, std::int64_t number) {
  const std::string name = fmt::format("tower.encoder.layers.{}.", number);
  const std::int64_t width = t.hidden_size;
  OCELLUS_RETURN_IF_ERROR(adder.norm(name + "layer_norm1", width, true));
  for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"})
    OCELLUS_RETURN_IF_ERROR(adder.linear(name + "self_attn." + part, width, width, true));
  OCELLUS_RETURN_IF_ERROR(adder.norm(name + "layer_norm2", width, true));
  OCELLUS_RETURN_IF_ERROR(adder.linear(name + "mlp.fc1", t.intermediate_size, width, true));
  return adder.linear(name + "mlp.fc2", width, t.intermediate_size, true);
}

}  // namespace

Result<GgufExport> export_language(const models::Checkpoint& checkpoint,
                                   const formats::GgufVocabulary& vocabulary, std::string_view name,
                                   DType weights) {
  const formats::LanguageConfig& l = checkpoint.config.language;
  GgufExport out;
  OCELLUS_RETURN_IF_ERROR(put_language(out.writer, checkpoint, vocabulary, name, weights));
  Adder adder(checkpoint, false, weights, out);
  OCELLUS_RETURN_IF_ERROR(adder.add("language.embed_tokens.weight", {l.vocab_size, l.hidden_size}));
  out.divisors = models::rope_divisors(l.rope, l.head_dim);
  if (!out.divisors.empty()) {
    const Shape shape{static_cast<std::int64_t>(out.divisors.size())};
    out.writer.add_tensor("rope_freqs.weight", DType::kF32, shape);
    out.tensors.push_back({"rope_freqs.weight",
                           {DType::kF32, shape, std::as_bytes(std::span(out.divisors))},
                           DType::kF32});
  }
  for (std::int64_t i = 0; i < l.layers; ++i)
    OCELLUS_RETURN_IF_ERROR(add_language_layer(adder, l, i));
  OCELLUS_RETURN_IF_ERROR(adder.norm("language.norm", l.hidden_size, false));
  if (!l.tie_word_embeddings)
    OCELLUS_RETURN_IF_ERROR(adder.add("lm_head.weight", {l.vocab_size, l.hidden_size}));
  return out;
}

Result<GgufExport> export_tower(const models::Checkpoint& checkpoint, std::string_view name,
                                DType weights) {
  const formats::TowerConfig& t = checkpoint.config.tower;
  const formats::ProjectorConfig& p = checkpoint.config.projector;
  const std::int64_t width = t.hidden_size, hidden = checkpoint.config.language.hidden_size;
  GgufExport out;
  OCELLUS_RETURN_IF_ERROR(put_tower(out.writer, checkpoint, name, weights));
  Adder adder(checkpoint, true, weights, out);
  OCELLUS_RETURN_IF_ERROR(adder.add("tower.embeddings.patch_embedding.weight",
                                    {width, t.channels, t.patch_size, t.patch_size}));
  if (t.has_class_token()) {
    OCELLUS_RETURN_IF_ERROR(adder.add("tower.embeddings.class_embedding", {width}));
    OCELLUS_RETURN_IF_ERROR(adder.norm("tower.pre_layrnorm", width, true));
  } else {
    OCELLUS_RETURN_IF_ERROR(adder.add("tower.embeddings.patch_embedding.bias", {width}));
  }
  OCELLUS_RETURN_IF_ERROR(adder.add("tower.embeddings.position_embedding.weight",
                                    {t.patches() + (t.has_class_token() ? 1 : 0), width}));
  for (std::int64_t i = 0; i < t.layers; ++i) OCELLUS_RETURN_IF_ERROR(add_tower_layer(adder, t, i));
  if (checkpoint.has("tower.post_layernorm.weight"))
    OCELLUS_RETURN_IF_ERROR(adder.norm("tower.post_layernorm", width, true));
  const auto features = width * static_cast<std::int64_t>(p.feature_layers.size());
  OCELLUS_RETURN_IF_ERROR(adder.linear("projector.linear_1", hidden, features, p.bias));
  OCELLUS_RETURN_IF_ERROR(adder.linear("projector.linear_2", hidden, hidden, p.bias));
  return out;
}

Result<GgufExport> export_again(const formats::GgufFile& file, bool tower, DType weights) {
  OCELLUS_ASSIGN_OR_RETURN(const std::int64_t parts,
                           file.integer_or("split.count", 1, 0, std::int64_t{1} << 16));
  if (parts > 1) {
    return make_error(ErrorCode::kUnsupported, "{}: one of {} parts of a file: join them first",
                      file.file(), parts);
  }
  GgufExport out;
  for (const formats::GgufEntry& entry : file.entries()) {
    if (entry.key != kFileTypeKey && entry.key != kQuantizationKey) out.writer.put(entry);
  }
  put_file_type(out.writer, weights);
  for (const auto& [name, tensor] : file.tensors()) {
    auto view = tensor.view(name);
    if (!view) return base::with_context(std::move(view).error(), file.file());
    out.tensors.push_back(
        {name, *view, exported_type(name, view->dtype, view->shape, weights, tower)});
  }
  std::ranges::sort(out.tensors, {}, [](const ExportTensor& t) { return t.source.data.data(); });
  for (const ExportTensor& t : out.tensors) out.writer.add_tensor(t.name, t.type, t.source.shape);
  return out;
}

}  // namespace ocellus::convert
