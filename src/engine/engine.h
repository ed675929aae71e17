// Runs the sessions of one model, all of them one step at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/session.h"
#include "models/family.h"
#include "models/parts/matrix_buffer.h"
#include "ocellus/error.h"

namespace ocellus::engine {

struct EngineOptions {
  std::int64_t context_tokens = 4096;  // prompt and answer of one session
  std::size_t max_sessions = 8;
  bool kv_cache = true;  // off: each step computes the whole sequence again; same tokens
  // How keys and values are kept: f32, f16 or q8_0 (compute::KvGeometry). Nothing: f32 beside exact
  // weights, f16 beside fast ones.
  std::optional<tensor::DType> kv_type = {};
  // Tokens that the text so far suggests are tried in the same step as the one before them; the
  // same tokens as without. Only with the cache.
  bool speculation = true;
  std::int64_t chunk_tokens =
      1024;  // rows of a step: longer prompts are read in parts, between others' tokens
};

// Synchronous; owned by one thread. The model must outlive it.
class Engine {
 public:
  // kInvalidArgument for options out of range; kUnsupported when the backend cannot keep the
  // model's cache.
  static Result<std::unique_ptr<Engine>> create(const models::Model& model,
                                                const EngineOptions& options);

  // Takes a session in. kContextFull naming the numbers, kInvalidArgument (image tokens and
  // embeddings that do not match, sampling, a forced token outside the vocabulary), kBadModel (an
  // id outside the vocabulary: tokenizer and model do not belong together), kUnavailable when
  // max_sessions are running.
  Result<std::int64_t> add(SessionRequest request);
  // Ends a session at once; its memory is free when this returns. Unknown ids are ignored.
  void cancel(std::int64_t session);

  bool idle() const { return sessions_.empty(); }
  std::size_t running() const { return sessions_.size(); }
  bool has_room() const { return sessions_.size() < options_.max_sessions; }

  // One step for all sessions: a part of the prompt, or one token and those that were guessed
  // rightly, for each. Sessions that ended or failed are gone afterwards.
  std::vector<SessionEvent> step();

 private:
  Engine(const models::Model& model, const EngineOptions& options, KvPool pool);

  struct Share {
    Session* session;
    std::int64_t first_row, rows, first_position;
    bool generated;                   // tokens that the model generated, else rows of its prompt
    bool samples;                     // its last row is the last of the sequence: a token is chosen
    std::int64_t wanted;              // how many of its last rows go through the head
    std::vector<std::int32_t> draft;  // tokens of its last rows, which the sequence does not have
  };
  std::vector<Share> plan();
  std::vector<std::int32_t> draft(Session& session, std::int64_t most) const;
  void add_drafts(std::vector<Share>& shares, std::int64_t& rows) const;
  Status run(const std::vector<Share>& shares, const std::function<bool()>& stop);
  Status fill_inputs(const Share& share, compute::Matrix inputs);
  void choose(const Share& share, tensor::Matrix logits, std::vector<SessionEvent>& events);
  SessionEvent choose_token(Session& session, std::span<float> logits);
  void remove_ended(const std::vector<SessionEvent>& events);
  void run_and_choose(const std::vector<Share>& shares, std::vector<SessionEvent>& events);

  const models::Model* model_;
  EngineOptions options_;
  KvPool pool_;
  std::unique_ptr<models::LanguageModel::Scratch> scratch_;
  models::MatrixBuffer inputs_, logits_;
  compute::Matrix last_logits_;
  std::vector<std::unique_ptr<Session>> sessions_;
  std::int64_t next_id_ = 1;
};

}  // namespace ocellus::engine
