// Runs the sequences of one model: prompts in slices, answers a token at a time, all together.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "engine/batch.h"
#include "engine/sequence.h"
#include "engine/slice_clock.h"
#include "models/family.h"
#include "ocellus/error.h"

namespace ocellus::engine {

struct EngineOptions {
  std::int64_t context_tokens = 4096;  // prompt and answer of one sequence
  std::size_t max_sequences = 8;
  // Blocks of keys and values that all sequences may take together (KvPool); a sequence that finds
  // none fails. 0: as many as they can need.
  std::size_t kv_blocks = 0;
  // Of blocks that no sequence uses any more, kept for those whose prompt begins alike; beside the
  // blocks that the running ones need. 0: prompts share nothing. Same bits either way. Not for
  // models with a recurrent state.
  std::size_t prefix_cache_bytes = 0;
  // Off: each step computes the whole sequence again; same tokens. Never off for models with a
  // recurrent state, whose rows must come in order.
  bool kv_cache = true;
  // How keys and values are kept: f32, f16 or q8_0 (compute::KvGeometry). Nothing: f32 beside
  // weights that are multiplied in f32, f16 beside others.
  std::optional<tensor::DType> kv_type = {};
  // Tokens that the text so far suggests are tried in the same step as the one before them; the
  // same tokens as without. Only with the cache.
  bool speculation = true;
  std::int64_t chunk_tokens = 1024;  // rows of prompts that go through the layers together, at most
  // How long prefill() may compute while answers are running.
  std::chrono::nanoseconds slice = std::chrono::milliseconds(100);
  SliceClock::Now clock = {};  // test seam; nothing: the steady clock
};

// Synchronous; owned by one thread. The model must outlive it.
class Engine {
 public:
  using Events = std::vector<SequenceEvent>;

  // kInvalidArgument for options out of range; kUnsupported when the backend cannot keep the
  // model's cache.
  static Result<std::unique_ptr<Engine>> create(const models::Model& model,
                                                const EngineOptions& options);

  // Takes a sequence in. kContextFull naming the numbers, kInvalidArgument (embeddings of another
  // width, sampling, a forced token outside the vocabulary), kBadModel (an id outside the
  // vocabulary: tokenizer and model do not belong together), kUnavailable when max_sequences are
  // running, kOutOfMemory.
  Result<std::int64_t> add(SequenceRequest request);
  // Ends a sequence at once; its memory is free when this returns. Unknown ids are ignored.
  void cancel(std::int64_t sequence) noexcept;
  // Ends all of them.
  void clear() noexcept;

  bool idle() const { return sequences_.empty(); }
  std::size_t running() const { return sequences_.size(); }
  bool has_room() const { return sequences_.size() < options_.max_sequences; }
  bool decoding() const;    // some sequence waits for decode()
  bool prefilling() const;  // some sequence waits for prefill()

  // A token, and those that were drafted rightly, for every sequence whose prompt is computed.
  // Sequences that ended or failed are gone afterwards.
  Events decode();
  // A part of the prompts, oldest first: as many layers of a chunk as the slice has time for, but
  // one at least. Brings the first token of a prompt that is complete. How the work is cut changes
  // no bit.
  Events prefill();
  // decode(), then prefill().
  Events step();

 private:
  Engine(const models::Model& model, const EngineOptions& options, KvPool pool);

  Status check(const SequenceRequest& request) const;
  void drop_stopped(Events& events);
  std::vector<BatchSlice> plan_decode(Events& events);
  std::vector<BatchSlice> plan_prefill(Events& events);
  std::vector<BatchSlice> plan_whole(Events& events);
  void add_drafts(std::vector<BatchSlice>& slices) const;
  std::vector<std::int32_t> draft(Sequence& sequence, std::int64_t max) const;
  std::int64_t chunk_rows() const;
  std::int64_t whole_images(const Sequence& sequence, std::int64_t first, std::int64_t count) const;
  bool reserve(Sequence& sequence, std::int64_t slots, Events& events);
  bool shares_prefixes() const;
  void share_prefix(Sequence& sequence);
  void publish_prefix(Sequence& sequence);

  void finish(Batch& batch, Events& events);
  void fail(Batch& batch, const Error& error, Events& events);
  void choose(const BatchSlice& slice, tensor::Matrix logits, Events& events);
  SequenceEvent choose_token(Sequence& sequence, std::span<float> logits);
  Status check_constraint(const Sequence& sequence) const;
  Result<std::int32_t> choose_allowed(Sequence& sequence, std::span<float> logits);
  std::optional<SequenceEnd> advance_constraint(Sequence& sequence) const;
  void remove_ended(const Events& events);

  const models::Model* model_;
  EngineOptions options_;
  KvPool pool_;
  std::vector<std::unique_ptr<Sequence>> sequences_;
  Batch decode_, prefill_;
  SliceClock clock_;
  std::int64_t next_id_ = 1;
};

}  // namespace ocellus::engine
