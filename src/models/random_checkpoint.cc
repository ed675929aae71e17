#include "models/random_checkpoint.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

#include "base/result.h"
#include "models/families.h"
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

// One tensor to make.
struct Needed {
  std::string name;  // as a checkpoint of the oldest style spells it
  Shape shape;
  DType dtype;
  bool norm = false;  // values near 1
};

DType type_of(const TensorSpec& spec, DType weights, DType tower_weights) {
  const DType type = spec.part == Part::kLanguage ? weights : tower_weights;
  const std::int64_t in = spec.shape[spec.shape.rank() - 1];
  switch (spec.role) {
    case TensorRole::kPositions:
    case TensorRole::kNorm:
    case TensorRole::kVector:
      return DType::kF32;
    case TensorRole::kPatches:
    case TensorRole::kProjector:
      return tensor::is_quantized(type) ? DType::kF16 : type;
    case TensorRole::kHead: {
      const bool coarse = tensor::is_quantized(type) && type != DType::kQ8_0;
      const DType head = coarse ? DType::kQ6_K : type;
      return tensor::whole_blocks(head, in) ? head : DType::kF16;
    }
    case TensorRole::kTokenEmbedding:
    case TensorRole::kLayerMatrix:
      break;
  }
  return tensor::whole_blocks(type, in) ? type : DType::kF16;
}

std::vector<Needed> needed_tensors(const TensorTable& table, DType weights, DType tower_weights) {
  std::vector<Needed> needed;
  for (const TensorSpec& spec : table.specs()) {
    if (spec.optional) continue;
    needed.push_back({.name = TensorTable::name_in(table.styles().front(), spec.name),
                      .shape = spec.shape,
                      .dtype = type_of(spec, weights, tower_weights),
                      .norm = spec.role == TensorRole::kNorm});
  }
  return needed;
}

std::size_t blocks_of(const Needed& tensor) {
  // Configurations have limits (formats/limits.h): this is far below 2^63.
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

}  // namespace

Result<RandomCheckpoint> make_random_checkpoint(std::string config_json, DType weights,
                                                DType tower_weights) {
  for (const DType dtype : {weights, tower_weights}) {
    if (!tensor::is_plain_float(dtype) && !tensor::is_quantized(dtype)) {
      return make_error(ErrorCode::kUnsupported,
                        "random weights: expected a type of floats or blocks, found {}",
                        tensor::dtype_name(dtype));
    }
  }
  RandomCheckpoint random;
  random.checkpoint.path = "random weights";
  random.checkpoint.texts.emplace("config.json", std::move(config_json));
  OCELLUS_ASSIGN_OR_RETURN(const auto description, describe_model(random.checkpoint));
  const std::vector<Needed> needed =
      needed_tensors(description->tensors().table(), weights, tower_weights);

  // One buffer for each type and kind, as large as its largest tensor and the places to begin at.
  using Kind = std::pair<DType, bool>;
  std::map<Kind, std::size_t> sizes;
  for (const Needed& tensor : needed) {
    std::size_t& size = sizes[{tensor.dtype, tensor.norm}];
    size = std::max(size, blocks_of(tensor) + kPlaces * kPlaceStride);
  }
  std::map<Kind, std::span<const std::byte>> memory;
  for (const auto& [kind, blocks] : sizes) {
    OCELLUS_ASSIGN_OR_RETURN(base::AlignedBuffer buffer,
                             random_buffer(kind.first, kind.second, blocks));
    memory[kind] = buffer.bytes();
    random.buffers.push_back(std::move(buffer));
  }
  std::size_t place = 0;
  for (const Needed& tensor : needed) {
    const std::size_t bytes = tensor::block_bytes(tensor.dtype);
    StoredTensor stored;
    stored.name = tensor.name;
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
