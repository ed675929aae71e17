#include "benchmark/stepper.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/result.h"

namespace ocellus::benchmark {

Stepper::Stepper(const models::LlavaModel& model, const compute::Backend& backend,
                 const compute::KvGeometry& geometry, std::size_t block_bytes)
    : model_(model),
      backend_(backend),
      pool_(geometry, block_bytes, std::numeric_limits<std::size_t>::max()),
      block_bytes_(block_bytes),
      scratch_(model.make_scratch()) {}

Result<std::unique_ptr<Stepper>> Stepper::create(const models::LlavaModel& model,
                                                 const compute::Backend& backend,
                                                 tensor::DType kv) {
  const compute::KvGeometry geometry = model.decoder().kv_geometry(kv);
  OCELLUS_ASSIGN_OR_RETURN(const std::size_t block_bytes, backend.kv_block_bytes(geometry));
  return std::unique_ptr<Stepper>(new Stepper(model, backend, geometry, block_bytes));
}

Status Stepper::reserve(std::int64_t streams, std::int64_t positions) {
  while (static_cast<std::int64_t>(sequences_.size()) < streams)
    sequences_.push_back(std::make_unique<engine::KvSequence>(pool_));
  for (std::int64_t i = 0; i < streams; ++i) {
    engine::KvSequence& sequence = *sequences_[static_cast<std::size_t>(i)];
    const std::size_t before = sequence.blocks().size();
    OCELLUS_RETURN_IF_ERROR(sequence.reserve(positions));
    // Pages that nobody wrote to are all one page of zeros, which the caches hold.
    for (std::byte* const block : sequence.blocks().subspan(before))
      std::memset(block, 0, block_bytes_);
  }
  return {};
}

Status Stepper::picture() {
  const formats::ModelConfig& config = model_.config();
  const auto side = static_cast<std::size_t>(config.tower.image_size);
  if (pixels_.empty()) {
    pixels_.resize(static_cast<std::size_t>(config.tower.channels) * side * side);
    for (std::size_t i = 0; i < pixels_.size(); ++i)
      pixels_[i] = static_cast<float>(i % 257) / 128.0f - 1.0f;
  }
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix features,
                           features_.shape(model_.image_tokens(), model_.feature_width()));
  OCELLUS_ASSIGN_OR_RETURN(picture_,
                           embeddings_.shape(model_.image_tokens(), config.language.hidden_size));
  OCELLUS_RETURN_IF_ERROR(model_.encode(pixels_.data(), scratch_, {}, features));
  return model_.project(features, scratch_, picture_);
}

Status Stepper::prompt(std::int64_t tokens, bool with_picture) {
  const formats::LanguageConfig& language = model_.config().language;
  const std::int64_t picture_rows = with_picture ? std::min(picture_.rows, tokens) : 0;
  for (std::int64_t first = 0; first < tokens; first += chunk_) {
    const std::int64_t rows = std::min(chunk_, tokens - first);
    OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix inputs,
                             inputs_.shape(rows, language.hidden_size));
    std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto position = first + static_cast<std::int64_t>(i);
      ids[i] = static_cast<std::int32_t>(position * 7919 % language.vocab_size);
    }
    OCELLUS_RETURN_IF_ERROR(model_.decoder().embed(backend_, ids, inputs));
    for (std::int64_t i = 0; i < rows && first + i < picture_rows; ++i)
      std::copy_n(picture_.row(first + i), picture_.cols, inputs.row(i));
    Rows step;
    step.sequences.push_back(
        {.rows = rows, .first_slot = first, .blocks = sequences_[0]->blocks()});
    if (first + rows == tokens) step.wanted.push_back(rows - 1);
    OCELLUS_RETURN_IF_ERROR(forward(inputs, step));
  }
  return {};
}

Status Stepper::step(std::int64_t streams, std::int64_t context) {
  const formats::LanguageConfig& language = model_.config().language;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix inputs,
                           inputs_.shape(streams, language.hidden_size));
  std::vector<std::int32_t> ids;
  Rows step;
  for (std::int64_t i = 0; i < streams; ++i) {
    ids.push_back(static_cast<std::int32_t>((i + 1) * 7919 % language.vocab_size));
    step.sequences.push_back({.first_row = i,
                              .rows = 1,
                              .first_slot = context,
                              .blocks = sequences_[static_cast<std::size_t>(i)]->blocks(),
                              .decode = true});
    step.wanted.push_back(i);
  }
  OCELLUS_RETURN_IF_ERROR(model_.decoder().embed(backend_, ids, inputs));
  return forward(inputs, step);
}

Status Stepper::forward(compute::Matrix inputs, const Rows& rows) {
  const std::int64_t vocabulary = model_.config().language.vocab_size;
  const auto wanted = static_cast<std::int64_t>(rows.wanted.size());
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix logits,
                           logits_.shape(std::max<std::int64_t>(1, wanted), vocabulary));
  OCELLUS_RETURN_IF_ERROR(model_.decoder().forward(backend_, pool_.geometry(), inputs,
                                                   rows.sequences, rows.wanted, scratch_.decoder,
                                                   *scratch_.workspace, {}, logits));
  for (std::int64_t i = 0; i < wanted; ++i) {
    OCELLUS_RETURN_IF_ERROR(
        sampler_.sample({logits.row(i), static_cast<std::size_t>(vocabulary)}, {}, 0));
  }
  return {};
}

}  // namespace ocellus::benchmark
