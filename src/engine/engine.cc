#include "engine/engine.h"

#include <algorithm>
#include <new>

#include "base/result.h"

namespace ocellus::engine {

using base::make_error;

namespace {

// Far beyond what memory holds; they keep the products below from overflowing.
constexpr std::int64_t kMaxContext = std::int64_t{1} << 24;
constexpr std::size_t kMaxSequences = std::size_t{1} << 16;

SequenceEvent failure(std::int64_t sequence, Error error) {
  return {.sequence = sequence, .error = std::move(error)};
}

}  // namespace

Engine::Engine(const models::Model& model, const EngineOptions& options, KvPool pool)
    : model_(&model),
      options_(options),
      pool_(std::move(pool)),
      decode_(model, pool_.geometry()),
      prefill_(model, pool_.geometry()),
      clock_(options.slice, options.clock) {}

Result<std::unique_ptr<Engine>> Engine::create(const models::Model& model,
                                               const EngineOptions& options) {
  if (options.context_tokens < 1 || options.context_tokens > kMaxContext ||
      options.max_sequences < 1 || options.max_sequences > kMaxSequences ||
      options.chunk_tokens < 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "expected a context of 1 to {} tokens, 1 to {} sequences and chunks of at "
                      "least 1 token; found {}, {} and {}",
                      kMaxContext, kMaxSequences, options.context_tokens, options.max_sequences,
                      options.chunk_tokens);
  }
  // Beside reduced precision f16 is exact enough, and half to read.
  const models::LanguageModel& language = model.language();
  const bool reduced = language.facts().arithmetic == compute::Arithmetic::kReducedPrecision;
  const compute::KvGeometry geometry = language.kv_geometry(
      options.kv_type.value_or(reduced ? tensor::DType::kF16 : tensor::DType::kF32));
  OCELLUS_ASSIGN_OR_RETURN(const std::size_t block_bytes, language.kv_block_bytes(geometry));
  const auto per_sequence = static_cast<std::size_t>(
      (options.context_tokens + geometry.block_tokens - 1) / geometry.block_tokens);
  const std::size_t blocks =
      options.kv_blocks > 0 ? options.kv_blocks : per_sequence * options.max_sequences;
  const std::size_t kept = options.prefix_cache_bytes / std::max<std::size_t>(1, block_bytes);
  EngineOptions used = options;
  if (language.facts().state_bytes > 0) used.kv_cache = true;
  return std::unique_ptr<Engine>(
      new Engine(model, used, KvPool(geometry, block_bytes, blocks + kept, kept)));
}

Status Engine::check(const SequenceRequest& request) const {
  const models::LanguageFacts& facts = model_->language().facts();
  const auto inside = [&](std::int32_t id) { return id >= 0 && id < facts.vocab_size; };
  OCELLUS_RETURN_IF_ERROR(engine::check(request.sampling, facts.vocab_size));
  std::int64_t rows = 0, image_rows = 0;
  for (const models::Segment& segment : request.prompt) {
    rows += segment.size();
    for (const std::int32_t id : segment.tokens) {
      if (!inside(id)) {
        return make_error(ErrorCode::kBadModel, "token {} is outside the model's vocabulary of {}",
                          id, facts.vocab_size);
      }
    }
    if (!segment.image) continue;
    image_rows += segment.rows;
    const models::ImageEmbeddings& image = *segment.image;
    const auto values = static_cast<std::size_t>(image.rows * facts.hidden_size);
    if (image.cols != facts.hidden_size || image.rows < 0 || image.data.size() != values ||
        std::ranges::any_of(image.inner, [&](const auto& v) { return v.size() != values; }) ||
        std::ssize(image.inner) > facts.layers || segment.first_row < 0 || segment.rows < 0 ||
        segment.first_row + segment.rows > image.rows || !segment.tokens.empty()) {
      return make_error(ErrorCode::kInvalidArgument,
                        "image embeddings: expected rows of {} values, found {} rows of {}",
                        facts.hidden_size, image.rows, image.cols);
    }
  }
  for (const std::int32_t id : request.forced_tokens) {
    if (!inside(id)) {
      return make_error(ErrorCode::kInvalidArgument,
                        "forced token {} is outside the model's vocabulary of {}", id,
                        facts.vocab_size);
    }
  }
  if (rows == 0 || request.max_new_tokens < 1)
    return make_error(ErrorCode::kInvalidArgument, "an empty prompt, or no tokens to generate");
  if (rows >= options_.context_tokens) {
    return make_error(ErrorCode::kContextFull,
                      "the prompt takes {} tokens ({} of them the images'), the context has {}",
                      rows, image_rows, options_.context_tokens);
  }
  return {};
}

Result<std::int64_t> Engine::add(SequenceRequest request) {
  if (!has_room())
    return make_error(ErrorCode::kUnavailable, "{} sequences are running, expected fewer",
                      sequences_.size());
  OCELLUS_RETURN_IF_ERROR(check(request));
  std::vector<models::Position> positions = model_->positions(request.prompt);
  const bool has_image = std::ranges::any_of(
      request.prompt, [](const models::Segment& segment) { return segment.image != nullptr; });
  std::vector<BlockKey> keys;
  if (shares_prefixes())
    keys = block_keys(request.prompt, positions, pool_.geometry().block_tokens);
  auto sequence = std::make_unique<Sequence>(
      next_id_, std::move(request), model_->facts().image_token, std::move(positions), pool_);
  sequence->keys = std::move(keys);
  std::int64_t& max_new = sequence->request.max_new_tokens;
  max_new = std::min(max_new, options_.context_tokens - sequence->prompt_length());
  OCELLUS_RETURN_IF_ERROR(sequence->state.reserve(model_->language().facts().state_bytes));
  if (options_.speculation && options_.kv_cache)
    sequence->drafter.emplace(sequence->ids, has_image ? model_->facts().image_token : -1);
  OCELLUS_RETURN_IF_ERROR(check_constraint(*sequence));
  share_prefix(*sequence);
  sequences_.push_back(std::move(sequence));
  return next_id_++;
}

void Engine::cancel(std::int64_t id) noexcept {
  const auto found = std::ranges::find(sequences_, id, [](const auto& s) { return s->id; });
  if (found == sequences_.end()) return;
  // What its batch computed for others is computed again: simpler than taking rows out of it.
  for (Batch* batch : {&decode_, &prefill_}) {
    const bool inside = std::ranges::any_of(
        batch->slices(), [&](const BatchSlice& slice) { return slice.sequence == found->get(); });
    if (inside) batch->end();
  }
  sequences_.erase(found);
}

void Engine::clear() noexcept {
  decode_.end();
  prefill_.end();
  sequences_.clear();
}

bool Engine::decoding() const {
  return options_.kv_cache &&
         std::ranges::any_of(sequences_, [](const auto& s) { return s->prefilled(); });
}

bool Engine::prefilling() const {
  return std::ranges::any_of(sequences_,
                             [&](const auto& s) { return !options_.kv_cache || !s->prefilled(); });
}

void Engine::remove_ended(const Events& events) {
  for (const SequenceEvent& event : events) {
    if (event.end || event.error) cancel(event.sequence);
  }
}

void Engine::drop_stopped(Events& events) {
  for (const auto& sequence : sequences_) {
    if (sequence->request.stop && sequence->request.stop())
      events.push_back(failure(sequence->id, {ErrorCode::kCancelled, "the request was cancelled"}));
  }
  remove_ended(events);
}

// A batch that cannot go on: nobody in it gets an answer.
void Engine::fail(Batch& batch, const Error& error, Events& events) {
  for (const BatchSlice& slice : batch.slices()) {
    const bool told = std::ranges::any_of(events, [&](const SequenceEvent& e) {
      return e.sequence == slice.sequence->id && e.error;
    });
    if (!told) events.push_back(failure(slice.sequence->id, error));
  }
  batch.end();
}

void Engine::finish(Batch& batch, Events& events) {
  std::int64_t row = 0;
  for (const BatchSlice& slice : batch.slices()) {
    Sequence& sequence = *slice.sequence;
    const std::int64_t certain = slice.rows - std::ssize(slice.draft);
    sequence.computed = std::max(sequence.computed, slice.first_slot + certain);
    if (!slice.decode && sequence.generated == 0) {
      publish_prefix(sequence);
      events.push_back({.sequence = sequence.id,
                        .prefilled = std::min(sequence.computed, sequence.prompt_length()),
                        .shared = sequence.shared});
    }
    if (slice.logit_rows == 0) continue;
    const tensor::Matrix logits = batch.logits().slice_rows(row, slice.logit_rows);
    row += slice.logit_rows;
    try {
      choose(slice, logits, events);
    } catch (const std::bad_alloc&) {
      events.push_back(failure(sequence.id, {ErrorCode::kOutOfMemory, {}}));
    }
  }
  batch.end();
}

// `logits`: the slice's logit rows.
void Engine::choose(const BatchSlice& slice, tensor::Matrix logits, Events& events) {
  Sequence& sequence = *slice.sequence;
  if (!slice.decode && sequence.request.keep_prompt_logits) {
    SequenceEvent event{.sequence = sequence.id};
    for (std::int64_t row = 0; row < logits.rows; ++row)
      event.prompt_logits.insert(event.prompt_logits.end(), logits.row(row),
                                 logits.row(row) + logits.cols);
    events.push_back(std::move(event));
  }
  if (!slice.samples) return;
  // The row after a drafted token counts while the draft is what was chosen; keys and values of the
  // others are written over.
  const std::int64_t drafted = std::ssize(slice.draft);
  std::int64_t accepted = 0;
  for (std::int64_t i = 0; i <= drafted; ++i) {
    float* const row = logits.row(logits.rows - 1 - drafted + i);
    SequenceEvent event = choose_token(sequence, {row, static_cast<std::size_t>(logits.cols)});
    event.accepted = i > 0;
    if (i == 0) event.drafted = drafted;
    const bool more = !event.error && !event.end && i < drafted &&
                      *event.token == slice.draft[static_cast<std::size_t>(i)];
    events.push_back(std::move(event));
    if (!more) break;
    ++accepted;
  }
  sequence.computed += accepted;
  // A state has taken wrong drafts in: back to before the step. The tokens that were right come
  // again as rows of the next one.
  if (accepted < drafted && !sequence.state.empty()) {
    sequence.state.restore();
    sequence.computed = slice.first_slot;
  }
}

// The token after the sequence's last one, from its row.
SequenceEvent Engine::choose_token(Sequence& sequence, std::span<float> logits) {
  const SequenceRequest& request = sequence.request;
  SequenceEvent event{.sequence = sequence.id};
  std::vector<float> raw;
  if (request.keep_logits || request.top_logprobs) raw.assign(logits.begin(), logits.end());
  const auto token = request.constraint
                         ? choose_allowed(sequence, logits)
                         : sequence.sampler.sample(logits, sequence.ids, sequence.generated);
  if (!token) {
    event.error = token.error();
    return event;
  }
  const bool is_forced = sequence.generated < std::ssize(request.forced_tokens);
  event.token =
      is_forced ? request.forced_tokens[static_cast<std::size_t>(sequence.generated)] : *token;
  if (request.top_logprobs) event.scores = score_token(raw, *event.token, *request.top_logprobs);
  if (request.keep_logits) event.logits = std::move(raw);
  ++sequence.generated;
  sequence.ids.push_back(*event.token);
  if (sequence.drafter) sequence.drafter->append(*event.token);
  if (!is_forced &&
      std::ranges::find(request.end_tokens, *event.token) != request.end_tokens.end()) {
    event.end = SequenceEnd::kEndToken;
  } else if (request.constraint) {
    event.end = advance_constraint(sequence);
  } else if (sequence.generated >= request.max_new_tokens) {
    event.end = SequenceEnd::kLength;
  }
  return event;
}

Engine::Events Engine::decode() {
  Events events;
  drop_stopped(events);
  if (!decoding()) return events;
  std::vector<BatchSlice> slices = plan_decode(events);
  if (!slices.empty()) {
    Status status = decode_.begin(std::move(slices));
    while (status && !decode_.done()) status = decode_.advance();
    if (status) {
      finish(decode_, events);
    } else {
      fail(decode_, status.error(), events);
    }
  }
  remove_ended(events);
  return events;
}

Engine::Events Engine::prefill() {
  Events events;
  drop_stopped(events);
  clock_.begin();
  bool worked = false;
  while (prefilling()) {
    if (!prefill_.active()) {
      std::vector<BatchSlice> slices =
          options_.kv_cache ? plan_prefill(events) : plan_whole(events);
      if (slices.empty()) break;
      if (const Status status = prefill_.begin(std::move(slices)); !status) {
        fail(prefill_, status.error(), events);
        break;
      }
    }
    if (worked && !clock_.has_time_for(prefill_.rows())) break;
    const auto before = clock_.now();
    const Status status = prefill_.advance();
    worked = true;
    if (!status) {
      fail(prefill_, status.error(), events);
      break;
    }
    if (prefill_.done()) {
      finish(prefill_, events);
      break;  // whoever has a token now wants the next one
    }
    clock_.measured(prefill_.rows(), clock_.now() - before);
    // Every reader has gone: the rest of the batch is for nobody.
    if (std::ranges::all_of(prefill_.slices(), [](const BatchSlice& slice) {
          return slice.sequence->request.stop && slice.sequence->request.stop();
        })) {
      break;
    }
  }
  remove_ended(events);
  return events;
}

Engine::Events Engine::step() {
  Events events = decode();
  for (SequenceEvent& event : prefill()) events.push_back(std::move(event));
  return events;
}

}  // namespace ocellus::engine
