// The tensors of a model: the one list in which a family says their names, shapes and roles.
// Loading, converting, packing, random models, estimates of memory and error messages all go by it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/view.h"

namespace ocellus::models {

// The language model is one of a GGUF pair's files, tower and projector are the other; how weights
// are held is chosen for the same two.
enum class Part { kLanguage, kTower, kProjector };

enum class TensorRole {
  kTokenEmbedding,  // one row for each token
  kHead,            // hidden state to logits
  kLayerMatrix,     // of the language model's or the tower's layers
  kPatches,         // a convolution's kernel [out, channels, height, width]
  kPositions,       // one row for each position, added to the hidden state
  kProjector,       // its matrices
  kNorm,            // a norm's weights, near 1
  kVector,          // biases and other vectors
};
bool is_matrix(TensorRole role);  // what is multiplied by, or looked up in

// How GGUF files have the value heads of a gated delta net: those of the first key head's group do
// not come first, but the first of every group. Rows from first_row on, `unit` for a head, or
// columns.
struct GgufTiles {
  std::int64_t k_heads = 0, v_heads = 0, unit = 0;
  std::int64_t first_row = 0;
  bool columns = false;

  // The reference's head that stands at such a place in the file.
  std::int64_t head_at(std::int64_t place) const {
    return place % k_heads * (v_heads / k_heads) + place / k_heads;
  }
};

// What GGUF files have of a vector: its values, 1 more, or -exp of them.
enum class GgufValues : std::uint8_t { kSame, kPlusOne, kNegativeExp };

struct TensorSpec {
  std::string name;  // ours: "language.layers.0.self_attn.q_proj.weight"
  std::string gguf;  // in the GGUF file of its part: "blk.0.attn_q.weight"
  tensor::Shape shape;
  TensorRole role = TensorRole::kVector;
  Part part = Part::kLanguage;
  // Number of heads whose rows GGUF files have in interleaved RoPE order; 0 if not permuted.
  std::int64_t gguf_permuted_heads = 0;
  GgufTiles gguf_tiles = {};  // k_heads 0: as the reference
  GgufValues gguf_values = GgufValues::kSame;
  bool optional = false;  // a checkpoint may leave it out
  // Not 0: of so many heads, the first half of whose rows are queries and the second gates: all
  // queries come first once loaded.
  std::int64_t gated_heads = 0;
  // Not 0: GGUF files have one tensor for each index of dimension 2, of which there are so many;
  // all but the first with ".1", ".2" ... behind the name.
  std::int64_t gguf_frames = 0;
  // Some checkpoints have it as rows of another tensor, from that row on: our name of that; empty:
  // none does.
  std::string whole = {};
  std::int64_t first_row = 0;
};

// How one writer of Hugging Face checkpoints begins names: our prefix, its prefix.
using NameStyle = std::span<const std::pair<std::string_view, std::string_view>>;

// Built once, then read-only; any thread.
class TensorTable {
 public:
  // Both are static. `styles`: newest last. `unused`: parts of the names of tensors that
  // checkpoints have and no computation needs.
  explicit TensorTable(std::span<const NameStyle> styles = {},
                       std::span<const std::string_view> unused = {})
      : styles_(styles), unused_(unused) {}

  void add(TensorSpec spec);  // names must be unique
  TensorSpec& last() { return specs_.back(); }

  const std::vector<TensorSpec>& specs() const { return specs_; }
  // Null where there is none.
  const TensorSpec* find(std::string_view name) const;
  const TensorSpec* find_gguf(std::string_view gguf, bool tower_file) const;
  // What the GGUF file calls one of a tensor's frames, or all of one that has none.
  static std::string gguf_frame(const TensorSpec& spec, std::int64_t frame);

  std::span<const NameStyle> styles() const { return styles_; }
  bool is_unused(std::string_view stored_name) const;
  // The name that a writer gives to what is called so here; empty where the style has none for it.
  static std::string name_in(NameStyle style, std::string_view name);

 private:
  std::span<const NameStyle> styles_;
  std::span<const std::string_view> unused_;
  std::vector<TensorSpec> specs_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

// Adds rows of one part, or of one of its layers. Names are relative to a prefix of ours and to one
// of GGUF's.
class TableSection {
 public:
  TableSection(TensorTable& table, Part part, std::string prefix, std::string gguf_prefix)
      : table_(table),
        part_(part),
        prefix_(std::move(prefix)),
        gguf_prefix_(std::move(gguf_prefix)) {}

  void add(std::string_view name, std::string_view gguf, const tensor::Shape& shape,
           TensorRole role, std::int64_t gguf_permuted_heads = 0, bool optional = false);
  // Of queries and their gates, weight and bias as above: [2 * heads * head_dim, in].
  void gated_linear(std::string_view name, std::string_view gguf, std::int64_t out, std::int64_t in,
                    bool bias, std::int64_t heads);
  // A convolution's kernel [out, channels, frames, height, width].
  void frames(std::string_view name, std::string_view gguf, const tensor::Shape& shape);
  // weight [out, in] and, where there is one, bias [out].
  void linear(std::string_view name, std::string_view gguf, std::int64_t out, std::int64_t in,
              TensorRole role, bool bias, std::int64_t gguf_permuted_heads = 0);
  // The same as rows of another linear layer, which some checkpoints have instead.
  void part_of_linear(std::string_view name, std::string_view gguf, std::int64_t out,
                      std::int64_t in, TensorRole role, bool bias, std::string_view whole,
                      std::int64_t first_row);
  void norm(std::string_view name, std::string_view gguf, std::int64_t size, bool bias,
            bool optional = false);
  // The row that was added last, to say more of it.
  TensorSpec& last() { return table_.last(); }

 private:
  TensorTable& table_;
  Part part_;
  std::string prefix_, gguf_prefix_;
};

}  // namespace ocellus::models
