#include "models/model_tensors.h"

#include <algorithm>
#include <set>

#include "base/result.h"

namespace ocellus::models {

using base::make_error;

namespace {

// Some checkpoints have a vector as [1, 1, size], or a convolution by channels as [channels, 1,
// kernel].
bool same_but_for_ones(const tensor::Shape& stored, const tensor::Shape& expected) {
  std::vector<std::int64_t> dims(stored.dims().begin(), stored.dims().end());
  std::size_t more = dims.size() > expected.rank() ? dims.size() - expected.rank() : 0;
  for (; more > 0; --more) {
    const auto one = std::ranges::find(dims, 1);
    if (one == dims.end()) return false;
    dims.erase(one);
  }
  return std::ranges::equal(dims, expected.dims());
}

}  // namespace

Result<ModelTensors> ModelTensors::bind(const Checkpoint& checkpoint, TensorTable table) {
  ModelTensors tensors(checkpoint, std::move(table));
  tensors.stored_.resize(tensors.table_.specs().size());
  OCELLUS_RETURN_IF_ERROR(checkpoint.gguf ? tensors.bind_gguf() : tensors.bind_hugging_face());
  return tensors;
}

Status ModelTensors::bind_gguf() {
  const GgufSource language = checkpoint_->gguf_language(), tower = checkpoint_->gguf_tower();
  for (std::size_t i = 0; i < stored_.size(); ++i) {
    const TensorSpec& spec = table_.specs()[i];
    const StoredTensors& from = spec.part == Part::kLanguage ? language.tensors : tower.tensors;
    const auto found = from.find(spec.gguf);
    if (found == from.end()) continue;
    stored_[i] = &found->second;
    if (spec.gguf_frames > 0 && !found->second.packed) {
      OCELLUS_ASSIGN_OR_RETURN(stored_[i], join_frames(spec, from));
    }
  }
  return {};
}

// The file has a kernel's frames apart: they are put back where they stand in it.
Result<const StoredTensor*> ModelTensors::join_frames(const TensorSpec& spec,
                                                      const StoredTensors& from) {
  const tensor::Shape& s = spec.shape;
  const tensor::Shape frame_shape{s[0], s[1], s[3], s[4]};
  std::vector<const StoredTensor*> frames;
  for (std::int64_t i = 0; i < spec.gguf_frames; ++i) {
    const std::string name = TensorTable::gguf_frame(spec, i);
    const auto found = from.find(name);
    if (found == from.end()) {
      return make_error(ErrorCode::kBadModel, "{}: tensor {} is missing",
                        checkpoint_->file_of(*frames.front()), name);
    }
    const StoredTensor& frame = found->second;
    const bool floats = frame.dtype && tensor::is_plain_float(*frame.dtype);
    if (!floats || frame.shape != frame_shape || frame.type != from.at(spec.gguf).type) {
      return make_error(ErrorCode::kBadModel,
                        "{}: tensor {}: expected shape {} in f32, f16 or bf16, all frames alike, "
                        "found {} in {}",
                        checkpoint_->file_of(frame), name, frame_shape.to_string(),
                        frame.shape.to_string(), frame.type);
    }
    frames.push_back(&frame);
    made_of_.insert(name);
  }
  Made& made = made_->emplace_back(Made{*frames.front()});
  made.tensor.shape = s;
  const std::size_t piece = tensor::bytes_of(*made.tensor.dtype, s[3] * s[4]);
  const std::size_t pieces = made.tensor.data.size() / piece;
  made.bytes.reserve(pieces * frames.size() * piece);
  for (std::size_t i = 0; i < pieces; ++i) {
    for (const StoredTensor* const frame : frames) {
      const auto part = frame->data.subspan(i * piece, piece);
      made.bytes.insert(made.bytes.end(), part.begin(), part.end());
    }
  }
  made.tensor.data = made.bytes;
  return &made.tensor;
}

Status ModelTensors::bind_hugging_face() {
  std::size_t most = 0;
  for (const NameStyle style : table_.styles()) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < stored_.size(); ++i) {
      const TensorSpec& spec = table_.specs()[i];
      const std::string name = TensorTable::name_in(style, spec.name);
      const auto found = checkpoint_->tensors.find(name);
      if (found == checkpoint_->tensors.end()) {
        if (stored_[i] != nullptr) continue;
        stored_[i] = slice_of(spec, style);
        count += stored_[i] != nullptr;
        continue;
      }
      ++count;
      if (stored_[i] != nullptr && stored_[i] != &found->second) {
        return make_error(ErrorCode::kBadModel,
                          "{}: duplicate tensor: {} and {} are spellings of one",
                          checkpoint_->file_of(found->second), stored_[i]->name, name);
      }
      stored_[i] = &found->second;
    }
    if (count <= most && !style_.empty()) continue;
    most = count;
    style_ = style;
  }
  return {};
}

// Null where the checkpoint has no such whole, or one without these rows.
const StoredTensor* ModelTensors::slice_of(const TensorSpec& spec, NameStyle style) {
  if (spec.whole.empty()) return nullptr;
  const auto whole = checkpoint_->tensors.find(TensorTable::name_in(style, spec.whole));
  if (whole == checkpoint_->tensors.end() || whole->second.packed) return nullptr;
  const StoredTensor& from = whole->second;
  const std::int64_t rows = spec.shape[0];
  if (from.shape.rank() != spec.shape.rank() || from.shape[0] < spec.first_row + rows ||
      from.data.size() % static_cast<std::size_t>(from.shape[0]) != 0)
    return nullptr;
  const std::size_t row_bytes = from.data.size() / static_cast<std::size_t>(from.shape[0]);
  std::vector<std::int64_t> shape(from.shape.dims().begin(), from.shape.dims().end());
  shape[0] = rows;
  const auto sliced = tensor::Shape::from(shape);
  if (!sliced) return nullptr;
  StoredTensor& slice = made_->emplace_back(Made{from}).tensor;
  slice.name = TensorTable::name_in(style, spec.name);
  slice.shape = *sliced;
  slice.data = from.data.subspan(static_cast<std::size_t>(spec.first_row) * row_bytes,
                                 static_cast<std::size_t>(rows) * row_bytes);
  made_of_.insert(whole->first);
  return &slice;
}

const StoredTensor* ModelTensors::find(std::string_view name) const {
  const TensorSpec* const spec = table_.find(name);
  return spec == nullptr ? nullptr
                         : stored_[static_cast<std::size_t>(spec - table_.specs().data())];
}

std::string ModelTensors::stored_name(const TensorSpec& spec) const {
  if (const StoredTensor* const stored = find(spec.name)) return stored->name;
  if (checkpoint_->gguf) return spec.gguf;
  const std::string name = TensorTable::name_in(style_, spec.name);
  return name.empty() ? spec.name : name;
}

Result<tensor::TensorView> ModelTensors::view(const TensorSpec& spec) const {
  const StoredTensor* const stored = find(spec.name);
  if (stored == nullptr) {
    std::string file = checkpoint_->path.string();
    if (checkpoint_->gguf && !checkpoint_->packed) {
      file = spec.part == Part::kLanguage ? checkpoint_->gguf->language.file()
                                          : checkpoint_->gguf->tower.file();
    }
    return make_error(ErrorCode::kBadModel, "{}: tensor {} is missing", file, stored_name(spec));
  }
  if (!same_but_for_ones(stored->shape, spec.shape)) {
    return make_error(ErrorCode::kBadModel, "{}: tensor {}: expected shape {}, found {}",
                      checkpoint_->file_of(*stored), stored->name, spec.shape.to_string(),
                      stored->shape.to_string());
  }
  if (!stored->dtype) {
    return make_error(ErrorCode::kUnsupported, "{}: tensor {}: type {} cannot be computed with",
                      checkpoint_->file_of(*stored), stored->name, stored->type);
  }
  return tensor::TensorView{*stored->dtype, spec.shape, stored->data};
}

std::int64_t ModelTensors::permuted_heads(const TensorSpec& spec) const {
  return checkpoint_->gguf && !checkpoint_->packed ? spec.gguf_permuted_heads : 0;
}

std::vector<std::string> ModelTensors::ignored() const {
  std::set<const StoredTensor*> bound(stored_.begin(), stored_.end());
  std::vector<std::string> names;
  for (const StoredTensors* tensors : {&checkpoint_->tensors, &checkpoint_->tower_tensors}) {
    for (const auto& [name, tensor] : *tensors)
      if (!bound.contains(&tensor) && !made_of_.contains(name) && !table_.is_unused(name))
        names.push_back(name);
  }
  return names;
}

std::size_t ModelTensors::stored_bytes() const {
  std::size_t bytes = 0;
  for (const StoredTensor* tensor : stored_) bytes += tensor == nullptr ? 0 : tensor->data.size();
  return bytes;
}

std::int64_t ModelTensors::parameters() const {
  std::int64_t count = 0;
  for (const StoredTensor* tensor : stored_)
    count += tensor == nullptr ? 0 : tensor->shape.elements().value_or(0);
  return count;
}

}  // namespace ocellus::models
