// A checkpoint as the two GGUF files that people publish of such models: which tensors, under which
// names, in which types, with which metadata.
// Reference: the gguf package's constants (keys), and llama.cpp's converters (what they write).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf_vocabulary.h"
#include "formats/gguf_writer.h"
#include "models/description.h"
#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::convert {

struct ExportTensor {
  std::string name;           // in the file
  tensor::TensorView source;  // borrows the checkpoint's bytes
  tensor::DType type;         // in the file
  // Not 0: rows are put into interleaved RoPE order on the way, of so many heads.
  std::int64_t permute_heads = 0;
  // One of so many frames of the source, whose bytes hold all of them.
  std::int64_t frame = 0, frames = 1;
  models::GgufTiles tiles = {};
  models::GgufValues values = models::GgufValues::kSame;
};

// One file, described and not yet written. Borrows the checkpoint.
struct GgufExport {
  formats::GgufWriter writer;
  std::vector<ExportTensor> tensors;      // in the order of the writer's
  std::deque<std::vector<float>> values;  // of tensors that the checkpoint says in its settings
};

// Of a Hugging Face checkpoint. `weights`: f32, f16, bf16 or a block type. kBadModel for a tensor
// that is missing or of another shape; kUnsupported for a model whose settings have no GGUF key.
Result<GgufExport> export_language(const models::ModelDescription& model,
                                   const formats::GgufVocabulary& vocabulary, std::string_view name,
                                   tensor::DType weights);
Result<GgufExport> export_tower(const models::ModelDescription& model, std::string_view name,
                                tensor::DType weights);

// Of a file of a GGUF pair: its metadata and names as they are, its tensors in `weights`. `tower`:
// it is the mmproj. kUnsupported for one part of a model that was split.
Result<GgufExport> export_again(const models::ModelDescription& model,
                                const formats::GgufFile& file, bool tower, tensor::DType weights);

// The type in which a tensor is written when `requested` is asked for. `role`: nothing for a tensor
// that the model's table lacks. Vectors, position embeddings and what is no float stay as they are
// (f32 for floats); the embeddings and the head are never below q6_k, patches and projector never
// below f16; rows that are not whole blocks take the next type whose blocks divide them.
tensor::DType exported_type(std::optional<models::TensorRole> role, tensor::DType stored,
                            const tensor::Shape& shape, tensor::DType requested);

}  // namespace ocellus::convert
