// The settings of the decoder part, and where checkpoints have them: in a Hugging Face
// configuration (text_config, with the defaults of transformers' configuration classes) or in the
// metadata of a GGUF language model.
// Reference: transformers 5, models/{llama,mistral,qwen2,granite}/configuration_*.py;
// gguf/constants.py.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compute/delta_net.h"
#include "formats/config_reader.h"
#include "formats/gguf_writer.h"
#include "models/checkpoint.h"
#include "models/parts/rope.h"
#include "ocellus/error.h"
#include "tensor/activation.h"

namespace ocellus::models {

struct DecoderConfig {
  std::string name;  // of its model_type or GGUF architecture, for people: "mistral"
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_position = 0;
  double rms_norm_eps = 0;
  tensor::Activation activation = tensor::Activation::kSilu;
  RopeConfig rope;
  std::int64_t sliding_window = 0;  // 0: none
  bool tie_word_embeddings = false;
  bool qkv_bias = false;
  bool output_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;  // queries and keys go through a norm, head by head
  // Qwen3.5's: layers that keep a state in place of keys and values (empty: none); attention's
  // output is gated; norms are stored as what is added to 1.
  std::vector<bool> linear_layers = {};
  compute::DeltaNetShape delta;
  bool output_gate = false;
  bool norms_from_one = false;
  // Granite's: embeddings (an image's rows, too) and what attention and MLP add are multiplied.
  double embedding_scale = 1, residual_scale = 1;
  // For other engines: the reference, whose models of pictures have a head of their own, does not
  // divide logits.
  double logits_divisor = 1;
  double attention_scale = 0;     // of q k; 0: the root of head_dim divides it
  std::string gguf_architecture;  // what general.architecture of its GGUF files is

  std::int64_t q_size() const { return heads * head_dim; }
  std::int64_t kv_size() const { return kv_heads * head_dim; }
  bool is_linear(std::int64_t layer) const {
    return !linear_layers.empty() && linear_layers[static_cast<std::size_t>(layer)];
  }
  // Of a sequence.
  std::int64_t state_bytes() const {
    return linear_count() * delta.state_values() * static_cast<std::int64_t>(sizeof(float));
  }
  std::int64_t linear_count() const { return std::ranges::count(linear_layers, true); }
};

// The ids of special tokens that a configuration names.
struct TokenIds {
  std::int64_t bos = -1;          // -1: none
  std::vector<std::int64_t> eos;  // any of them ends an answer
};

// Of text_config; absent, it is Llama's of 7B. Errors go to the reader: kUnsupported for another
// model_type, activation or rope scaling; kBadModel.
DecoderConfig read_decoder_config(formats::ConfigReader& r,
                                  std::string_view default_type = "llama");
TokenIds read_token_ids(formats::ConfigReader& r, std::string_view default_type = "llama");

// Whether a Hugging Face checkpoint has a head that is not its embeddings: it counts, whatever the
// configuration says of tying (as in transformers 5).
bool has_own_head(const StoredTensors& tensors);

// Of a GGUF language model. kBadModel naming file and key; kUnsupported for another architecture or
// rope scaling, or a mixture of experts.
Result<DecoderConfig> read_decoder_gguf(const GgufSource& source);
Result<TokenIds> read_token_ids_gguf(const GgufSource& source, std::int64_t vocab_size);

// Whether converters write the rows of Q and K of this GGUF architecture in interleaved RoPE order.
bool gguf_permutes_rope(std::string_view architecture);

// Every key that read_decoder_gguf() reads, but general.architecture. kUnsupported naming `file`
// and what has no key.
Status put_decoder_gguf(formats::GgufWriter& writer, const DecoderConfig& config,
                        std::string_view file);

}  // namespace ocellus::models
