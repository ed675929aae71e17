#include "models/tensor_table.h"

#include <algorithm>

namespace ocellus::models {
namespace {

std::string joined(std::string_view a, std::string_view b, std::string_view c = {}) {
  return std::string(a).append(b).append(c);
}

}  // namespace

bool is_matrix(TensorRole role) {
  switch (role) {
    case TensorRole::kTokenEmbedding:
    case TensorRole::kHead:
    case TensorRole::kLayerMatrix:
    case TensorRole::kPatches:
    case TensorRole::kProjector:
      return true;
    case TensorRole::kPositions:
    case TensorRole::kNorm:
    case TensorRole::kVector:
      return false;
  }
  return false;
}

void TensorTable::add(TensorSpec spec) {
  by_name_.emplace(spec.name, specs_.size());
  specs_.push_back(std::move(spec));
}

const TensorSpec* TensorTable::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &specs_[found->second];
}

const TensorSpec* TensorTable::find_gguf(std::string_view gguf, bool tower_file) const {
  const auto found = std::ranges::find_if(specs_, [&](const TensorSpec& spec) {
    if ((spec.part != Part::kLanguage) != tower_file) return false;
    for (std::int64_t frame = 1; frame < spec.gguf_frames; ++frame)
      if (gguf_frame(spec, frame) == gguf) return true;
    return spec.gguf == gguf;
  });
  return found == specs_.end() ? nullptr : &*found;
}

std::string TensorTable::gguf_frame(const TensorSpec& spec, std::int64_t frame) {
  return frame == 0 ? spec.gguf : spec.gguf + "." + std::to_string(frame);
}

bool TensorTable::is_unused(std::string_view stored_name) const {
  return std::ranges::any_of(unused_, [&](std::string_view part) {
    return stored_name.find(part) != std::string_view::npos;
  });
}

std::string TensorTable::name_in(NameStyle style, std::string_view name) {
  for (const auto& [ours, theirs] : style) {
    if (name.starts_with(ours)) return joined(theirs, name.substr(ours.size()));
  }
  return {};
}

void TableSection::add(std::string_view name, std::string_view gguf, const tensor::Shape& shape,
                       TensorRole role, std::int64_t gguf_permuted_heads, bool optional) {
  table_.add({.name = joined(prefix_, name),
              .gguf = joined(gguf_prefix_, gguf),
              .shape = shape,
              .role = role,
              .part = part_,
              .gguf_permuted_heads = gguf_permuted_heads,
              .optional = optional});
}

void TableSection::gated_linear(std::string_view name, std::string_view gguf, std::int64_t out,
                                std::int64_t in, bool bias, std::int64_t heads) {
  const auto add = [&](std::string_view kind, const tensor::Shape& shape, TensorRole role) {
    table_.add({.name = joined(prefix_, name, kind),
                .gguf = joined(gguf_prefix_, gguf, kind),
                .shape = shape,
                .role = role,
                .part = part_,
                .gated_heads = heads});
  };
  add(".weight", {out, in}, TensorRole::kLayerMatrix);
  if (bias) add(".bias", {out}, TensorRole::kVector);
}

void TableSection::frames(std::string_view name, std::string_view gguf,
                          const tensor::Shape& shape) {
  table_.add({.name = joined(prefix_, name),
              .gguf = joined(gguf_prefix_, gguf),
              .shape = shape,
              .role = TensorRole::kPatches,
              .part = part_,
              .gguf_frames = shape[2]});
}

void TableSection::linear(std::string_view name, std::string_view gguf, std::int64_t out,
                          std::int64_t in, TensorRole role, bool bias,
                          std::int64_t gguf_permuted_heads) {
  add(joined(name, ".weight"), joined(gguf, ".weight"), {out, in}, role, gguf_permuted_heads);
  if (bias) {
    add(joined(name, ".bias"), joined(gguf, ".bias"), {out}, TensorRole::kVector,
        gguf_permuted_heads);
  }
}

void TableSection::part_of_linear(std::string_view name, std::string_view gguf, std::int64_t out,
                                  std::int64_t in, TensorRole role, bool bias,
                                  std::string_view whole, std::int64_t first_row) {
  const auto add = [&](std::string_view kind, const tensor::Shape& shape, TensorRole of) {
    table_.add({.name = joined(prefix_, name, kind),
                .gguf = joined(gguf_prefix_, gguf, kind),
                .shape = shape,
                .role = of,
                .part = part_,
                .whole = joined(prefix_, whole, kind),
                .first_row = first_row});
  };
  add(".weight", {out, in}, role);
  if (bias) add(".bias", {out}, TensorRole::kVector);
}

void TableSection::norm(std::string_view name, std::string_view gguf, std::int64_t size, bool bias,
                        bool optional) {
  add(joined(name, ".weight"), joined(gguf, ".weight"), {size}, TensorRole::kNorm, 0, optional);
  if (bias) {
    add(joined(name, ".bias"), joined(gguf, ".bias"), {size}, TensorRole::kVector, 0, optional);
  }
}

}  // namespace ocellus::models
