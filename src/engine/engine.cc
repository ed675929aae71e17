#include "engine/engine.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::engine {

using base::make_error;

namespace {

// Far beyond what memory holds; they keep the products below from overflowing.
constexpr std::int64_t kMaxContext = std::int64_t{1} << 24;
constexpr std::size_t kMaxSessions = std::size_t{1} << 16;
// Rows of generated tokens that a step takes without costing much more than one: drafts get what
// the sessions' own tokens leave.
constexpr std::int64_t kCheapRows = 8;

SessionEvent failure(std::int64_t session, Error error) {
  SessionEvent event;
  event.session = session;
  event.error = std::move(error);
  return event;
}

}  // namespace

Engine::Engine(const models::Model& model, const EngineOptions& options, KvPool pool)
    : model_(&model),
      options_(options),
      pool_(std::move(pool)),
      scratch_(model.language().make_scratch()) {}

Result<std::unique_ptr<Engine>> Engine::create(const models::Model& model,
                                               const EngineOptions& options) {
  if (options.context_tokens < 1 || options.context_tokens > kMaxContext ||
      options.max_sessions < 1 || options.max_sessions > kMaxSessions || options.chunk_tokens < 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "expected a context of 1 to {} tokens, 1 to {} sessions and chunks of at "
                      "least 1 token; found {}, {} and {}",
                      kMaxContext, kMaxSessions, options.context_tokens, options.max_sessions,
                      options.chunk_tokens);
  }
  // Beside fast arithmetic f16 is exact enough, and half to read.
  const bool fast = model.language().facts().arithmetic == compute::Arithmetic::kReducedPrecision;
  const compute::KvGeometry geometry = model.language().kv_geometry(
      options.kv_type.value_or(fast ? tensor::DType::kF16 : tensor::DType::kF32));
  OCELLUS_ASSIGN_OR_RETURN(const std::size_t block_bytes,
                           model.language().kv_block_bytes(geometry));
  const auto per_session = static_cast<std::size_t>(
      (options.context_tokens + geometry.block_tokens - 1) / geometry.block_tokens);
  return std::unique_ptr<Engine>(new Engine(
      model, options, KvPool(geometry, block_bytes, per_session * options.max_sessions)));
}

Result<std::int64_t> Engine::add(SessionRequest request) {
  if (!has_room())
    return make_error(ErrorCode::kUnavailable, "{} sessions are running, the most there may be",
                      sessions_.size());
  OCELLUS_RETURN_IF_ERROR(check(request.sampling));
  const std::int64_t vocabulary = model_->language().facts().vocab_size;
  std::int64_t image_rows = 0, image_tokens = 0;
  const std::int64_t width = model_->language().facts().hidden_size;
  for (const auto& image : request.images) {
    if (image == nullptr || image->cols != width || image->rows < 0 ||
        image->data.size() != static_cast<std::size_t>(image->rows * width)) {
      return make_error(ErrorCode::kInvalidArgument,
                        "a picture's embeddings are not rows of {} values", width);
    }
    image_rows += image->rows;
  }
  if (!request.images.empty() && request.image_token < 0)
    return make_error(ErrorCode::kInvalidArgument, "pictures, and no token for their places");
  for (const std::int32_t id : request.ids) {
    const bool image = id == request.image_token;
    image_tokens += image ? 1 : 0;
    if (!image && (id < 0 || id >= vocabulary)) {
      return make_error(ErrorCode::kBadModel, "token {} is outside the model's vocabulary of {}",
                        id, vocabulary);
    }
  }
  for (const std::int32_t id : request.forced_tokens) {
    if (id < 0 || id >= vocabulary) {
      return make_error(ErrorCode::kInvalidArgument,
                        "forced token {} is outside the model's vocabulary of {}", id, vocabulary);
    }
  }
  if (image_rows != image_tokens) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the prompt has places for {} image tokens, the pictures give {}",
                      image_tokens, image_rows);
  }
  const auto prompt = static_cast<std::int64_t>(request.ids.size());
  if (prompt == 0 || request.max_new_tokens < 1)
    return make_error(ErrorCode::kInvalidArgument, "an empty prompt, or no tokens to generate");
  if (prompt >= options_.context_tokens) {
    return make_error(ErrorCode::kContextFull,
                      "the prompt takes {} tokens ({} of them the picture's), the context has {}",
                      prompt, image_tokens, options_.context_tokens);
  }
  request.max_new_tokens = std::min(request.max_new_tokens, options_.context_tokens - prompt);
  auto session = std::make_unique<Session>(next_id_, std::move(request), pool_);
  if (options_.speculation && options_.kv_cache) {
    const SessionRequest& r = session->request;
    session->drafter.emplace(r.ids, r.images.empty() ? -1 : r.image_token);
  }
  sessions_.push_back(std::move(session));
  return next_id_++;
}

void Engine::cancel(std::int64_t session) {
  std::erase_if(sessions_, [&](const auto& s) { return s->id == session; });
}

// Tokens to try behind the session's last one. A draft takes no room that the answer would not
// take, and gives way where there is none.
std::vector<std::int32_t> Engine::draft(Session& session, std::int64_t most) const {
  const SessionRequest& request = session.request;
  if (!session.drafter || session.generated < std::ssize(request.forced_tokens)) return {};
  std::vector<std::int32_t> draft =
      session.drafter->propose(std::min(most, request.max_new_tokens - session.generated - 1));
  const std::int64_t positions = std::ssize(session.ids) + std::ssize(draft);
  if (!draft.empty() && !session.cache->reserve(positions)) return {};
  return draft;
}

// `shares`: generated tokens, `rows` of them; drafts make them longer. What one session leaves goes
// to the next.
void Engine::add_drafts(std::vector<Share>& shares, std::int64_t& rows) const {
  std::int64_t room = std::min(kCheapRows, options_.chunk_tokens) - rows,
               later = std::ssize(shares);
  rows = 0;
  for (Share& share : shares) {
    const std::int64_t most = room > 0 ? (room + later - 1) / later : 0;
    share.draft = draft(*share.session, most);
    const std::int64_t drafted = std::ssize(share.draft);
    share.first_row = rows;
    share.rows += drafted;
    share.wanted += drafted;
    rows += share.rows;
    room -= drafted;
    --later;
  }
}

// Generated tokens come first, as the backend wants them; what is left of the chunk goes to
// prompts, oldest first.
std::vector<Engine::Share> Engine::plan() {
  std::vector<Share> shares;
  std::int64_t rows = 0;
  const auto give = [&](Session& session, std::int64_t first, std::int64_t count, bool generated) {
    const bool samples = first + count == static_cast<std::int64_t>(session.ids.size());
    const bool all = session.generated == 0 && session.request.keep_prompt_logits;
    shares.push_back({&session,
                      rows,
                      count,
                      first,
                      generated,
                      samples,
                      all ? count : std::int64_t{samples},
                      {}});
    rows += count;
  };
  // Without a cache a sequence is computed whole, in one step: its generated tokens as such, so
  // that they are what they were.
  if (!options_.kv_cache) {
    for (const auto& session : sessions_) session->computed = 0;
  }
  for (const auto& session : sessions_) {
    const std::int64_t prompt = session->prompt_length();
    const std::int64_t first = std::max(session->computed, prompt);
    const std::int64_t left = static_cast<std::int64_t>(session->ids.size()) - first;
    if (left > 0 && (session->computed >= prompt || !options_.kv_cache))
      give(*session, first, left, true);
  }
  add_drafts(shares, rows);
  // However many generate, a prompt gets on by one row a step.
  std::int64_t room = std::max<std::int64_t>(1, options_.chunk_tokens - rows);
  for (const auto& session : sessions_) {
    const std::int64_t left = session->prompt_length() - session->computed;
    const std::int64_t count = options_.kv_cache ? std::min(left, room) : left;
    if (count <= 0) continue;
    give(*session, session->computed, count, false);
    room -= count;
  }
  return shares;
}

Status Engine::fill_inputs(const Share& share, compute::Matrix inputs) {
  const Session& session = *share.session;
  const std::int32_t image_token =
      session.request.images.empty() ? -1 : session.request.image_token;
  const auto begin = session.ids.begin() + share.first_position;
  std::vector<std::int32_t> ids(begin, begin + share.rows - std::ssize(share.draft));
  ids.insert(ids.end(), share.draft.begin(), share.draft.end());
  // The image token may have no row in the table; any row does for a place that is overwritten. One
  // that the model itself generates is a token like any other.
  const auto prompt = static_cast<std::int64_t>(session.request.ids.size());
  for (std::int64_t i = 0; i < share.rows && share.first_position + i < prompt; ++i) {
    std::int32_t& id = ids[static_cast<std::size_t>(i)];
    if (id == image_token) id = 0;
  }
  OCELLUS_RETURN_IF_ERROR(
      model_->language().embed(ids, inputs.slice_rows(share.first_row, share.rows)));
  if (image_token < 0) return {};
  // Rows of the pictures, one behind the other, take the places in order.
  std::int64_t next = std::ranges::count(session.ids.begin(),
                                         session.ids.begin() + share.first_position, image_token);
  std::size_t image = 0;
  for (std::int64_t row = 0; row < share.rows; ++row) {
    const std::int64_t position = share.first_position + row;
    if (position >= prompt) break;
    if (session.ids[static_cast<std::size_t>(position)] != image_token) continue;
    while (next >= session.request.images[image]->rows)
      next -= session.request.images[image++]->rows;
    const tensor::ConstMatrix embeddings = session.request.images[image]->matrix();
    std::copy_n(embeddings.row(next++), embeddings.cols, inputs.row(share.first_row + row));
  }
  return {};
}

Status Engine::run(const std::vector<Share>& shares, const std::function<bool()>& stop) {
  const std::int64_t rows = shares.back().first_row + shares.back().rows;
  const models::LanguageFacts& language = model_->language().facts();
  OCELLUS_ASSIGN_OR_RETURN(const compute::Matrix inputs, inputs_.shape(rows, language.hidden_size));
  models::Step step;
  step.geometry = pool_.geometry();
  step.x = inputs;
  std::vector<std::vector<models::Position>> positions;
  for (const Share& share : shares) {
    OCELLUS_RETURN_IF_ERROR(share.session->cache->reserve(share.first_position + share.rows));
    OCELLUS_RETURN_IF_ERROR(fill_inputs(share, inputs));
    auto& places = positions.emplace_back();
    for (std::int64_t i = 0; i < share.rows; ++i) {
      const auto at = static_cast<std::int32_t>(share.first_position + i);
      places.push_back({at, at, at});
    }
    step.sequences.push_back({.cache = {share.first_row, share.rows, share.first_position,
                                        share.session->cache->blocks(), share.generated},
                              .positions = places});
    for (std::int64_t row = share.rows - share.wanted; row < share.rows; ++row)
      step.logit_rows.push_back(share.first_row + row);
  }
  OCELLUS_ASSIGN_OR_RETURN(
      last_logits_,
      logits_.shape(std::max<std::int64_t>(1, std::ssize(step.logit_rows)), language.vocab_size));
  const models::LanguageModel& model = model_->language();
  OCELLUS_RETURN_IF_ERROR(model.begin(step, *scratch_));
  for (std::int64_t layer = 0; layer < language.layers; ++layer) {
    if (stop && stop())
      return make_error(ErrorCode::kCancelled, "cancelled while the prompt was being read");
    OCELLUS_RETURN_IF_ERROR(model.run_layer(layer, step, *scratch_));
  }
  return model.head(step, *scratch_, last_logits_);
}

// `logits`: the rows of the share that were wanted.
void Engine::choose(const Share& share, tensor::Matrix logits, std::vector<SessionEvent>& events) {
  Session& session = *share.session;
  SessionEvent first;
  first.session = session.id;
  if (session.generated == 0 && session.request.keep_prompt_logits) {
    for (std::int64_t row = 0; row < logits.rows; ++row)
      first.prompt_logits.insert(first.prompt_logits.end(), logits.row(row),
                                 logits.row(row) + logits.cols);
  }
  if (!share.samples) {
    events.push_back(std::move(first));
    return;
  }
  // A row behind a draft counts while the draft is what was chosen; keys and values of the others
  // are written over.
  const std::int64_t drafted = std::ssize(share.draft);
  for (std::int64_t i = 0; i <= drafted; ++i) {
    float* const row = logits.row(logits.rows - 1 - drafted + i);
    SessionEvent event = choose_token(session, {row, static_cast<std::size_t>(logits.cols)});
    event.ahead = i > 0;
    if (i == 0) {
      event.drafted = drafted;
      event.prompt_logits = std::move(first.prompt_logits);
    }
    const bool more = !event.error && !event.end && i < drafted &&
                      *event.token == share.draft[static_cast<std::size_t>(i)];
    events.push_back(std::move(event));
    if (!more) break;
    ++session.computed;
  }
}

// The token after the session's last one, from its row.
SessionEvent Engine::choose_token(Session& session, std::span<float> logits) {
  SessionEvent event;
  event.session = session.id;
  if (session.request.keep_logits) event.logits.assign(logits.begin(), logits.end());
  const auto token =
      session.sampler.sample(logits, session.ids, static_cast<std::uint64_t>(session.generated));
  if (!token) {
    event.error = token.error();
    return event;
  }
  const std::vector<std::int32_t>& forced = session.request.forced_tokens;
  const bool is_forced = session.generated < std::ssize(forced);
  event.token = is_forced ? forced[static_cast<std::size_t>(session.generated)] : *token;
  ++session.generated;
  session.ids.push_back(*event.token);
  if (session.drafter) session.drafter->append(*event.token);
  if (!is_forced && std::ranges::find(session.request.end_tokens, *event.token) !=
                        session.request.end_tokens.end()) {
    event.end = SessionEnd::kEndToken;
  } else if (session.generated >= session.request.max_new_tokens) {
    event.end = SessionEnd::kLength;
  }
  return event;
}

void Engine::remove_ended(const std::vector<SessionEvent>& events) {
  for (const SessionEvent& event : events) {
    if (event.end || event.error) cancel(event.session);
  }
}

void Engine::run_and_choose(const std::vector<Share>& shares, std::vector<SessionEvent>& events) {
  // The step as a whole is given up only when everybody in it wants to stop.
  const auto stop = [&] {
    return std::ranges::all_of(shares, [](const Share& s) {
      return s.session->request.stop && s.session->request.stop();
    });
  };
  if (const Status status = run(shares, stop); !status) {
    for (const Share& share : shares) {
      const bool first = std::ranges::none_of(
          events, [&](const SessionEvent& e) { return e.session == share.session->id; });
      if (first) events.push_back(failure(share.session->id, status.error()));
    }
    return;
  }
  std::int64_t row = 0;
  for (const Share& share : shares) {
    const std::int64_t certain = share.rows - std::ssize(share.draft);
    share.session->computed = std::max(share.session->computed, share.first_position + certain);
    if (share.wanted == 0) continue;
    choose(share, last_logits_.slice_rows(row, share.wanted), events);
    row += share.wanted;
  }
}

std::vector<SessionEvent> Engine::step() {
  std::vector<SessionEvent> events;
  for (const auto& session : sessions_) {
    if (session->request.stop && session->request.stop()) {
      events.push_back(failure(session->id, {ErrorCode::kCancelled, "the request was cancelled"}));
    }
  }
  remove_ended(events);
  const std::vector<Share> shares = plan();
  if (!shares.empty()) {
    const std::size_t before = events.size();
    run_and_choose(shares, events);
    remove_ended({events.begin() + static_cast<std::ptrdiff_t>(before), events.end()});
  }
  return events;
}

}  // namespace ocellus::engine
