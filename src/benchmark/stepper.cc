#include "benchmark/stepper.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "base/result.h"
#include "image/image.h"

namespace ocellus::benchmark {

Stepper::Stepper(const models::Model& model, const compute::KvGeometry& geometry,
                 std::size_t block_bytes)
    : model_(model),
      pool_(geometry, block_bytes, std::numeric_limits<std::size_t>::max()),
      block_bytes_(block_bytes),
      scratch_(model.language().make_scratch()),
      encoder_(model.make_encoder()) {}

Result<std::unique_ptr<Stepper>> Stepper::create(const models::Model& model, tensor::DType kv) {
  const compute::KvGeometry geometry = model.language().kv_geometry(kv);
  OCELLUS_ASSIGN_OR_RETURN(const std::size_t block_bytes,
                           model.language().kv_block_bytes(geometry));
  return std::unique_ptr<Stepper>(new Stepper(model, geometry, block_bytes));
}

Status Stepper::reserve(std::int64_t streams, std::int64_t positions) {
  while (static_cast<std::int64_t>(sequences_.size()) < streams)
    sequences_.push_back(std::make_unique<engine::BlockTable>(pool_));
  for (std::int64_t i = 0; i < streams; ++i) {
    engine::BlockTable& sequence = *sequences_[static_cast<std::size_t>(i)];
    const std::size_t before = sequence.blocks().size();
    OCELLUS_RETURN_IF_ERROR(sequence.reserve(positions));
    // Pages that nobody wrote to are all one page of zeros, which the caches hold.
    for (std::byte* const block : sequence.blocks().subspan(before))
      std::memset(block, 0, block_bytes_);
  }
  while (std::ssize(states_) < streams)
    OCELLUS_RETURN_IF_ERROR(states_.emplace_back().reserve(model_.language().facts().state_bytes));
  return {};
}

Result<std::int64_t> Stepper::prepare_picture() {
  if (prepared_.inputs.empty()) {
    constexpr int kSide = 1024;
    image::Image photo = image::make_image(kSide, kSide);
    for (std::size_t i = 0; i < photo.rgb.size(); ++i)
      photo.rgb[i] = static_cast<std::uint8_t>(i * 7 % 256);
    OCELLUS_ASSIGN_OR_RETURN(prepared_, model_.prepare_image(photo, models::ImageUse::kAlone));
  }
  return prepared_.plan.rows();
}

Status Stepper::picture() {
  OCELLUS_RETURN_IF_ERROR(prepare_picture());
  OCELLUS_RETURN_IF_ERROR(encoder_->begin(prepared_));
  while (!encoder_->done()) OCELLUS_RETURN_IF_ERROR(encoder_->advance());
  picture_ = encoder_->take();
  return {};
}

void Stepper::add_rows(models::Step& step, std::size_t stream, const compute::SequenceRows& rows) {
  std::vector<models::Position>& positions = positions_.emplace_back();
  for (std::int64_t i = 0; i < rows.rows; ++i) {
    const auto at = static_cast<std::int32_t>(rows.first_slot + i);
    positions.push_back({at, at, at});
  }
  step.sequences.push_back(
      {.cache = rows, .positions = positions, .state = states_[stream].bytes()});
}

Status Stepper::prompt(std::int64_t tokens, bool with_picture) {
  const models::LanguageFacts& language = model_.language().facts();
  const std::int64_t picture_rows = with_picture ? std::min(picture_.rows, tokens) : 0;
  const tensor::ConstMatrix picture = picture_.matrix();
  for (std::int64_t first = 0; first < tokens; first += chunk_) {
    const std::int64_t rows = std::min(chunk_, tokens - first);
    models::Step step;
    OCELLUS_ASSIGN_OR_RETURN(step.x, inputs_.shape(rows, language.hidden_size));
    std::vector<std::int32_t> ids(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto position = first + static_cast<std::int64_t>(i);
      ids[i] = static_cast<std::int32_t>(position * 7919 % language.vocab_size);
    }
    OCELLUS_RETURN_IF_ERROR(model_.language().embed(ids, step.x));
    for (std::int64_t i = 0; i < rows && first + i < picture_rows; ++i)
      std::copy_n(picture.row(first + i), picture.cols, step.x.row(i));
    add_rows(step, 0, {.rows = rows, .first_slot = first, .blocks = sequences_[0]->blocks()});
    if (first + rows == tokens) step.logit_rows.push_back(rows - 1);
    OCELLUS_RETURN_IF_ERROR(forward(step));
  }
  return {};
}

Status Stepper::step(std::int64_t streams, std::int64_t context) {
  const models::LanguageFacts& language = model_.language().facts();
  models::Step step;
  OCELLUS_ASSIGN_OR_RETURN(step.x, inputs_.shape(streams, language.hidden_size));
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < streams; ++i) {
    ids.push_back(static_cast<std::int32_t>((i + 1) * 7919 % language.vocab_size));
    add_rows(step, static_cast<std::size_t>(i),
             {.first_row = i,
              .rows = 1,
              .first_slot = context,
              .blocks = sequences_[static_cast<std::size_t>(i)]->blocks(),
              .decode = true});
    step.logit_rows.push_back(i);
  }
  OCELLUS_RETURN_IF_ERROR(model_.language().embed(ids, step.x));
  return forward(step);
}

Status Stepper::forward(models::Step& step) {
  const models::LanguageModel& language = model_.language();
  step.geometry = pool_.geometry();
  OCELLUS_RETURN_IF_ERROR(language.begin(step, *scratch_));
  for (std::int64_t layer = 0; layer < language.facts().layers; ++layer)
    OCELLUS_RETURN_IF_ERROR(language.run_layer(layer, step, *scratch_));
  positions_.clear();
  if (step.logit_rows.empty()) return {};
  const std::int64_t vocabulary = language.facts().vocab_size;
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix logits,
                           logits_.shape(std::ssize(step.logit_rows), vocabulary));
  OCELLUS_RETURN_IF_ERROR(language.head(step, *scratch_, logits));
  for (std::int64_t i = 0; i < logits.rows; ++i) {
    OCELLUS_RETURN_IF_ERROR(
        sampler_.sample({logits.row(i), static_cast<std::size_t>(vocabulary)}, {}, 0));
  }
  return {};
}

}  // namespace ocellus::benchmark
