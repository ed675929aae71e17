#include "engine/batch.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::engine {

Status Batch::fill_inputs(const BatchSlice& slice) {
  const Sequence& sequence = *slice.sequence;
  const auto begin = sequence.ids.begin() + slice.first_slot;
  std::vector<std::int32_t> ids(begin, begin + slice.rows - std::ssize(slice.draft));
  ids.insert(ids.end(), slice.draft.begin(), slice.draft.end());
  const auto each_image = [&](auto&& visit) {
    sequence.for_each_image(slice.first_slot, slice.rows, visit);
  };
  // A placeholder may have no row in the table; any row does for one that is overwritten.
  each_image([&](const models::Segment&, std::int64_t, std::int64_t from, std::int64_t to) {
    std::fill(ids.begin() + (from - slice.first_slot), ids.begin() + (to - slice.first_slot), 0);
  });
  const compute::Matrix x = step_.x.slice_rows(slice.first_row, slice.rows);
  OCELLUS_RETURN_IF_ERROR(model_->language().embed(ids, x));
  each_image([&](const models::Segment& segment, std::int64_t first, std::int64_t from,
                 std::int64_t to) {
    const std::int64_t row = from - slice.first_slot, image_row = segment.first_row + from - first;
    const tensor::ConstMatrix image = segment.image->matrix();
    for (std::int64_t i = 0; i < to - from; ++i)
      std::copy_n(image.row(image_row + i), image.cols, x.row(row + i));
    for (std::size_t layer = 0; layer < segment.image->inner.size(); ++layer) {
      step_.inner.push_back({static_cast<std::int64_t>(layer), slice.first_row + row,
                             segment.image->inner_matrix(layer).slice_rows(image_row, to - from)});
    }
  });
  return {};
}

Status Batch::begin(std::vector<BatchSlice> slices) {
  slices_ = std::move(slices);
  positions_.clear();
  bidirectional_.clear();
  step_.sequences.clear();
  step_.inner.clear();
  step_.logit_rows.clear();
  next_ = 0;
  const models::LanguageFacts& facts = model_->language().facts();
  const std::int64_t rows = slices_.back().first_row + slices_.back().rows;
  OCELLUS_ASSIGN_OR_RETURN(step_.x, inputs_.shape(rows, facts.hidden_size));
  for (const BatchSlice& slice : slices_) {
    Sequence& sequence = *slice.sequence;
    sequence.state.save();
    OCELLUS_RETURN_IF_ERROR(fill_inputs(slice));
    models::StepRows step_rows;
    step_rows.cache = {.first_row = slice.first_row,
                       .rows = slice.rows,
                       .first_slot = slice.first_slot,
                       .blocks = sequence.cache.blocks(),
                       .decode = slice.decode};
    step_rows.positions = positions_.emplace_back(sequence.positions(slice.first_slot, slice.rows));
    step_rows.state = sequence.state.bytes();
    if (facts.images_attend_both_ways) {
      std::vector<compute::SlotRange>& ranges = bidirectional_.emplace_back();
      sequence.for_each_image(
          slice.first_slot, slice.rows,
          [&](const models::Segment&, std::int64_t, std::int64_t from, std::int64_t to) {
            ranges.push_back({from, to});
          });
      step_rows.cache.bidirectional = ranges;
    }
    step_.sequences.push_back(step_rows);
    for (std::int64_t row = slice.rows - slice.logit_rows; row < slice.rows; ++row)
      step_.logit_rows.push_back(slice.first_row + row);
  }
  OCELLUS_ASSIGN_OR_RETURN(
      logits_, logits_buffer_.shape(std::max<std::int64_t>(1, std::ssize(step_.logit_rows)),
                                    facts.vocab_size));
  return model_->language().begin(step_, *scratch_);
}

Status Batch::advance() {
  const models::LanguageModel& language = model_->language();
  const Status status = next_ < language.facts().layers
                            ? language.run_layer(next_, step_, *scratch_)
                            : language.head(step_, *scratch_, logits_);
  ++next_;
  return status;
}

void Batch::end() noexcept {
  if (!done()) {
    for (const BatchSlice& slice : slices_) slice.sequence->state.restore();
  }
  slices_.clear();
}

}  // namespace ocellus::engine
