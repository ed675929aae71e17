#include "models/random_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <span>

#include "base/result.h"
#include "tensor/quant.h"

namespace ocellus::models {
namespace {

using base::make_error;
using tensor::DType;
using tensor::Shape;

// Uniform in [-kSpread, kSpread): a standard deviation of 1 / 64, which keeps the size of
// activations over rows of 4096 values.
constexpr float kSpread = 0.027f;
constexpr std::int64_t kMaxSize = std::int64_t{1} << 24;
// Values or blocks that are made; buffers repeat them. Both are primes, so that neighbouring rows
// of a matrix differ.
constexpr std::int64_t kPlainPattern = 1'048'573;
constexpr std::int64_t kBlockPattern = 1'021;
// Tensors begin at one of so many places, of so many elements or blocks apart.
constexpr std::size_t kPlaces = 61, kPlaceStride = 1'009;

// A counter-based generator (splitmix64): the n-th value needs no others.
float random_value(std::uint64_t n) {
  std::uint64_t z = n * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return (static_cast<float>(z >> 40) * 0x1p-23f - 1.0f) * kSpread;
}

// One tensor that the model needs.
struct Wanted {
  std::string name;
  Shape shape;
  DType dtype;
  bool norm = false;  // values near 1
};

class Tensors {
 public:
  Tensors(DType weights, DType tower) : weights_(weights), tower_(tower) {}

  std::vector<Wanted> take() { return std::move(wanted_); }

  void language(const formats::LanguageConfig& c) {
    const std::int64_t q = c.heads * c.head_dim, kv = c.kv_heads * c.head_dim;
    matrix("language.embed_tokens.weight", {c.vocab_size, c.hidden_size}, weights_);
    for (std::int64_t i = 0; i < c.layers; ++i) {
      const std::string name = fmt::format("language.layers.{}.", i);
      norm(name + "input_layernorm", c.hidden_size, false);
      norm(name + "post_attention_layernorm", c.hidden_size, false);
      for (const auto& [part, out] : {std::pair{"q_proj", q}, {"k_proj", kv}, {"v_proj", kv}})
        linear(name + "self_attn." + part, out, c.hidden_size, weights_, c.attention_qkv_bias);
      linear(name + "self_attn.o_proj", c.hidden_size, q, weights_, c.attention_output_bias);
      for (const char* part : {"gate_proj", "up_proj"})
        linear(name + "mlp." + part, c.intermediate_size, c.hidden_size, weights_, c.mlp_bias);
      linear(name + "mlp.down_proj", c.hidden_size, c.intermediate_size, weights_, c.mlp_bias);
    }
    norm("language.norm", c.hidden_size, false);
    if (c.tie_word_embeddings) return;
    const bool coarse = tensor::is_quantized(weights_) && weights_ != DType::kQ8_0;
    matrix("lm_head.weight", {c.vocab_size, c.hidden_size}, coarse ? DType::kQ6_K : weights_);
  }

  void tower(const formats::TowerConfig& c) {
    const std::int64_t width = c.hidden_size;
    const std::int64_t rows = c.patches() + (c.has_class_token() ? 1 : 0);
    matrix("tower.embeddings.patch_embedding.weight",
           {width, c.channels, c.patch_size, c.patch_size}, plain(tower_));
    vector("tower.embeddings.position_embedding.weight", {rows, width});
    if (c.has_class_token()) {
      vector("tower.embeddings.class_embedding", {width});
      norm("tower.pre_layrnorm", width, true);
    } else {
      vector("tower.embeddings.patch_embedding.bias", {width});
    }
    for (std::int64_t i = 0; i < c.layers; ++i) {
      const std::string name = fmt::format("tower.encoder.layers.{}.", i);
      norm(name + "layer_norm1", width, true);
      norm(name + "layer_norm2", width, true);
      for (const char* part : {"q_proj", "k_proj", "v_proj", "out_proj"})
        linear(name + "self_attn." + part, width, width, tower_, true);
      linear(name + "mlp.fc1", c.intermediate_size, width, tower_, true);
      linear(name + "mlp.fc2", width, c.intermediate_size, tower_, true);
    }
  }

  void projector(const formats::ProjectorConfig& c, std::int64_t features, std::int64_t hidden) {
    linear("projector.linear_1", hidden, features, plain(tower_), c.bias);
    linear("projector.linear_2", hidden, hidden, plain(tower_), c.bias);
  }

 private:
  static DType plain(DType dtype) { return tensor::is_quantized(dtype) ? DType::kF16 : dtype; }

  void matrix(std::string name, const Shape& shape, DType dtype) {
    const std::int64_t in = shape[shape.rank() - 1];
    const bool whole = tensor::whole_blocks(dtype, in);
    wanted_.push_back({std::move(name), shape, whole ? dtype : DType::kF16});
  }
  void vector(std::string name, const Shape& shape) {
    wanted_.push_back({std::move(name), shape, DType::kF32});
  }
  void linear(const std::string& name, std::int64_t out, std::int64_t in, DType dtype, bool bias) {
    matrix(name + ".weight", {out, in}, dtype);
    if (bias) vector(name + ".bias", {out});
  }
  void norm(const std::string& name, std::int64_t size, bool bias) {
    wanted_.push_back({name + ".weight", {size}, DType::kF32, true});
    if (bias) vector(name + ".bias", {size});
  }

  DType weights_, tower_;
  std::vector<Wanted> wanted_;
};

std::size_t blocks_of(const Wanted& tensor) {
  // Sizes were checked: three factors of 2^24 at most, and real ones are far smaller.
  return static_cast<std::size_t>(tensor.shape.elements().value_or(0)) /
         tensor::block_values(tensor.dtype);
}

// Random values of one type, repeated to fill `blocks` of its blocks.
Result<base::AlignedBuffer> random_buffer(DType dtype, bool norm, std::size_t blocks) {
  const std::size_t block_bytes = tensor::block_bytes(dtype);
  const auto pattern_blocks = std::min(
      blocks,
      static_cast<std::size_t>(tensor::is_quantized(dtype) ? kBlockPattern : kPlainPattern));
  OCELLUS_ASSIGN_OR_RETURN(base::AlignedBuffer buffer,
                           base::AlignedBuffer::make(blocks * block_bytes));
  std::vector<float> values(pattern_blocks * tensor::block_values(dtype));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = (norm ? 1.0f : 0.0f) + random_value(i + 1);
  tensor::quantize(dtype, values.data(), static_cast<std::int64_t>(values.size()), buffer.data());
  // Each copy is of what there is already, so there are few of them.
  std::size_t done = pattern_blocks * block_bytes;
  while (done < buffer.size()) {
    const std::size_t more = std::min(done, buffer.size() - done);
    std::memcpy(buffer.data() + done, buffer.data(), more);
    done += more;
  }
  return buffer;
}

Status check(const formats::ModelConfig& c) {
  const formats::LanguageConfig& l = c.language;
  const formats::TowerConfig& t = c.tower;
  for (const std::int64_t size :
       {l.hidden_size, l.intermediate_size, l.layers, l.heads, l.kv_heads, l.head_dim, l.vocab_size,
        l.heads * l.head_dim, t.image_size, t.patch_size, t.channels, t.hidden_size,
        t.intermediate_size, t.layers, t.heads}) {
    if (size < 1 || size > kMaxSize) {
      return make_error(ErrorCode::kInvalidArgument,
                        "a random model's sizes: expected 1 to {}, found {}", kMaxSize, size);
    }
  }
  return {};
}

formats::ModelConfig llava_config() {
  formats::ModelConfig c;
  c.model_type = "llava";
  c.tower = {.kind = formats::TowerKind::kClip,
             .image_size = 336,
             .patch_size = 14,
             .hidden_size = 1024,
             .intermediate_size = 4096,
             .layers = 24,
             .heads = 16,
             .layer_norm_eps = 1e-5,
             .activation = tensor::Activation::kQuickGelu};
  c.language.head_dim = 128;
  c.language.vocab_size = 32064;
  c.language.max_position = 4096;
  c.language.rms_norm_eps = 1e-5;
  return c;
}

void set_language(formats::LanguageConfig& c, std::int64_t hidden, std::int64_t intermediate,
                  std::int64_t layers, std::int64_t heads, std::int64_t kv_heads) {
  c.hidden_size = hidden;
  c.intermediate_size = intermediate;
  c.layers = layers;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = hidden / heads;
}

}  // namespace

std::vector<std::string> random_model_names() {
  return {"llava-1.5-7b", "llava-1.5-13b", "tinyllama-1.1b"};
}

std::optional<formats::ModelConfig> random_model_config(std::string_view name) {
  formats::ModelConfig c = llava_config();
  if (name == "llava-1.5-7b") {
    set_language(c.language, 4096, 11008, 32, 32, 32);
  } else if (name == "llava-1.5-13b") {
    set_language(c.language, 5120, 13824, 40, 40, 40);
  } else if (name == "tinyllama-1.1b") {
    set_language(c.language, 2048, 5632, 22, 32, 4);
    c.language.vocab_size = 32000;
    c.language.max_position = 2048;
  } else {
    return std::nullopt;
  }
  return c;
}

Result<RandomCheckpoint> make_random_checkpoint(const formats::ModelConfig& config, DType weights,
                                                DType tower_weights) {
  for (const DType dtype : {weights, tower_weights}) {
    if (!tensor::is_plain_float(dtype) && !tensor::is_quantized(dtype)) {
      return make_error(ErrorCode::kUnsupported, "random weights of type {}",
                        tensor::dtype_name(dtype));
    }
  }
  OCELLUS_RETURN_IF_ERROR(check(config));
  Tensors list(weights, tower_weights);
  list.tower(config.tower);
  list.projector(
      config.projector,
      config.tower.hidden_size * static_cast<std::int64_t>(config.projector.feature_layers.size()),
      config.language.hidden_size);
  list.language(config.language);
  const std::vector<Wanted> wanted = list.take();

  // One buffer for each type and kind, as large as its largest tensor and the places to begin at.
  using Kind = std::pair<DType, bool>;
  std::map<Kind, std::size_t> sizes;
  for (const Wanted& tensor : wanted) {
    std::size_t& size = sizes[{tensor.dtype, tensor.norm}];
    size = std::max(size, blocks_of(tensor) + kPlaces * kPlaceStride);
  }
  RandomCheckpoint random;
  random.checkpoint.folder = "random weights";
  random.checkpoint.config = config;
  formats::ImageProcessorConfig& processor = random.checkpoint.image_processor;
  processor.resize_shortest_edge = processor.crop_height = processor.crop_width =
      config.tower.image_size;
  std::map<Kind, std::span<const std::byte>> memory;
  for (const auto& [kind, blocks] : sizes) {
    OCELLUS_ASSIGN_OR_RETURN(base::AlignedBuffer buffer,
                             random_buffer(kind.first, kind.second, blocks));
    memory[kind] = buffer.bytes();
    random.buffers.push_back(std::move(buffer));
  }
  std::size_t place = 0;
  for (const Wanted& tensor : wanted) {
    const std::size_t bytes = tensor::block_bytes(tensor.dtype);
    StoredTensor stored;
    stored.stored_name = tensor.name;
    stored.type = tensor::dtype_name(tensor.dtype);
    stored.dtype = tensor.dtype;
    stored.shape = tensor.shape;
    stored.data = memory[{tensor.dtype, tensor.norm}].subspan(
        place++ % kPlaces * kPlaceStride * bytes, blocks_of(tensor) * bytes);
    random.checkpoint.tensors.emplace(tensor.name, std::move(stored));
  }
  return random;
}

}  // namespace ocellus::models
