// Which rows of which sequences go through the layers next.
#include <algorithm>

#include "engine/engine.h"

namespace ocellus::engine {
namespace {

// Decode rows that a step takes without costing much more than one: drafts get what the sequences'
// own tokens leave.
constexpr std::int64_t kCheapRows = 8;
// Before a layer was measured: short enough for any machine and model.
constexpr std::int64_t kFirstChunk = 32;
// Fewer rows waste most of what reading the weights costs.
constexpr std::int64_t kMinChunk = 16;
// Of a prompt that runs alone.
constexpr std::int64_t kMinAlone = 256;
constexpr std::chrono::nanoseconds kAloneTime = std::chrono::seconds(2);

void append(std::vector<BatchSlice>& slices, BatchSlice slice) {
  slice.first_row = slices.empty() ? 0 : slices.back().first_row + slices.back().rows;
  slices.push_back(std::move(slice));
}

// Rows of the prompt from `first` on.
BatchSlice prompt_slice(Sequence& sequence, std::int64_t first, std::int64_t count) {
  const bool samples = first + count == sequence.length();
  return {.sequence = &sequence,
          .rows = count,
          .first_slot = first,
          .samples = samples,
          .logit_rows = sequence.request.keep_prompt_logits ? count : std::int64_t{samples}};
}

// Generated tokens from `first` on.
BatchSlice decode_slice(Sequence& sequence, std::int64_t first) {
  return {.sequence = &sequence,
          .rows = sequence.length() - first,
          .first_slot = first,
          .decode = true,
          .samples = true,
          .logit_rows = 1};
}

std::vector<std::int32_t> first_of(std::span<const std::int32_t> tokens, std::size_t most) {
  tokens = tokens.first(std::min(most, tokens.size()));
  return {tokens.begin(), tokens.end()};
}

// What is certain: forced tokens, and what a constraint leaves no choice about, the names of an
// object, the end of an answer.
std::vector<std::int32_t> known_tokens(const Sequence& sequence, std::int64_t max) {
  if (max <= 0) return {};
  const auto most = static_cast<std::size_t>(max);
  const std::span<const std::int32_t> forced = sequence.request.forced_tokens;
  if (sequence.generated < std::ssize(forced))
    return first_of(forced.subspan(static_cast<std::size_t>(sequence.generated)), most);
  if (!sequence.request.constraint) return {};
  const std::vector<std::int32_t>& end = sequence.closing;
  if (!end.empty()) return first_of(end, most);
  return sequence.request.constraint->forced(most);
}

}  // namespace

// Room for its slots. Where there is none, this sequence fails, and no other.
bool Engine::reserve(Sequence& sequence, std::int64_t slots, Events& events) {
  const Status status = sequence.cache.reserve(slots);
  if (!status) events.push_back({.sequence = sequence.id, .error = status.error()});
  return status.has_value();
}

// Tokens to try after the sequence's last one. A draft takes no room that the answer would not
// take, and gives way where there is none.
std::vector<std::int32_t> Engine::draft(Sequence& sequence, std::int64_t max) const {
  const SequenceRequest& request = sequence.request;
  const bool forced = sequence.generated < std::ssize(request.forced_tokens);
  if (!sequence.drafter || (forced && !request.drafts_forced)) return {};
  std::vector<std::int32_t> draft = known_tokens(sequence, max);
  if (draft.empty() && !forced) {
    const std::int64_t left = request.max_new_tokens - sequence.generated - 1;
    draft = sequence.drafter->propose(std::max<std::int64_t>(0, std::min(max, left)));
  }
  const std::int64_t slots = sequence.length() + std::ssize(draft);
  if (!draft.empty() && !sequence.cache.reserve(slots)) return {};
  return draft;
}

// What one sequence leaves of the cheap rows goes to the next.
void Engine::add_drafts(std::vector<BatchSlice>& slices) const {
  std::int64_t rows = 0;
  for (const BatchSlice& slice : slices) rows += slice.rows;
  std::int64_t room = std::min(kCheapRows, options_.chunk_tokens) - rows,
               later = std::ssize(slices);
  rows = 0;
  for (BatchSlice& slice : slices) {
    const std::int64_t max = room > 0 ? (room + later - 1) / later : 0;
    slice.draft = draft(*slice.sequence, max);
    const std::int64_t drafted = std::ssize(slice.draft);
    slice.first_row = rows;
    slice.rows += drafted;
    slice.logit_rows += drafted;
    rows += slice.rows;
    room -= drafted;
    --later;
  }
}

std::vector<BatchSlice> Engine::plan_decode(Events& events) {
  std::vector<BatchSlice> slices;
  for (const auto& sequence : sequences_) {
    if (sequence->prefilled() && reserve(*sequence, sequence->length(), events))
      append(slices, decode_slice(*sequence, sequence->computed));
  }
  add_drafts(slices);
  return slices;
}

// Beside others a layer takes half a slice, so that what is left of one is rarely wasted. Alone,
// the whole chunk takes a second or two, so that who comes then need not wait longer; but never so
// few rows that reading the weights shows.
std::int64_t Engine::chunk_rows() const {
  std::int64_t rows = std::max(kMinChunk, clock_.rows_in(options_.slice / 2, kFirstChunk));
  if (sequences_.size() == 1) {
    const auto layer = kAloneTime / model_->language().facts().layers;
    rows = std::max(kMinAlone, clock_.rows_in(layer, kMinAlone));
  }
  return std::min(rows, options_.chunk_tokens);
}

// `count` rows from `first` on, cut so that no image is split that must be computed in one step.
std::int64_t Engine::whole_images(const Sequence& sequence, std::int64_t first,
                                  std::int64_t count) const {
  if (!model_->language().facts().images_attend_both_ways) return count;
  const std::int64_t left = sequence.prompt_length() - first;
  std::int64_t cut = count;
  sequence.for_each_image(
      first, left,
      [&](const models::Segment& segment, std::int64_t start, std::int64_t, std::int64_t) {
        const std::int64_t begin = start - first, end = begin + segment.rows;
        if (begin < cut && end > cut) cut = begin > 0 ? begin : end;
      });
  return cut;
}

std::vector<BatchSlice> Engine::plan_prefill(Events& events) {
  std::vector<BatchSlice> slices;
  std::int64_t room = chunk_rows();
  for (const auto& sequence : sequences_) {
    share_prefix(*sequence);
    const std::int64_t first = sequence->computed, left = sequence->prompt_length() - first;
    if (left <= 0 || room <= 0) continue;
    const std::int64_t count = whole_images(*sequence, first, std::min(left, room));
    if (!slices.empty() && count > room) continue;  // an image that needs a batch of its own
    if (!reserve(*sequence, first + count, events)) continue;
    append(slices, prompt_slice(*sequence, first, count));
    room -= count;
  }
  return slices;
}

// Without a cache every sequence is computed whole, in one step: its generated tokens as such, so
// that they are what they were.
std::vector<BatchSlice> Engine::plan_whole(Events& events) {
  std::vector<BatchSlice> slices;
  std::vector<Sequence*> reserved;
  for (const auto& sequence : sequences_) {
    sequence->computed = 0;
    if (reserve(*sequence, sequence->length(), events)) reserved.push_back(sequence.get());
  }
  for (Sequence* sequence : reserved) {
    if (sequence->generated > 0) append(slices, decode_slice(*sequence, sequence->prompt_length()));
  }
  for (Sequence* sequence : reserved) {
    BatchSlice slice = prompt_slice(*sequence, 0, sequence->prompt_length());
    if (sequence->generated > 0) slice.logit_rows = 0;
    append(slices, std::move(slice));
  }
  return slices;
}

}  // namespace ocellus::engine
