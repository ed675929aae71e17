// Drafts change how many steps an answer takes and nothing else: tokens and logits are the same
// bits with and without.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/test_model.h"

namespace ocellus::engine {
namespace {

using tensor::DType;

// The events of a whole run, and what was tried ahead on the way.
struct Counted {
  std::vector<Answer> answers;
  std::int64_t drafted = 0, accepted = 0, steps = 0;
};

Counted run_counting(const models::Model& model, const EngineOptions& options,
                     const std::vector<SequenceRequest>& requests) {
  Counted result;
  const auto engine = Engine::create(model, options);
  EXPECT_TRUE(engine.has_value());
  std::vector<std::int64_t> ids;
  for (const SequenceRequest& request : requests) ids.push_back((*engine)->add(request).value());
  std::map<std::int64_t, Answer> found;
  for (; !(*engine)->idle(); ++result.steps) {
    const std::vector<SequenceEvent> events = (*engine)->step();
    for (const SequenceEvent& event : events) {
      result.drafted += event.drafted;
      result.accepted += event.accepted ? 1 : 0;
      EXPECT_FALSE(found[event.sequence].end.has_value()) << "something after the end";
      note(found, {event});
    }
  }
  for (const std::int64_t id : ids) result.answers.push_back(found[id]);
  return result;
}

// Answers with something to guess in them: a penalty below 1 is a reward for saying a token again,
// and a short prompt leaves few to choose from.
std::vector<SequenceRequest> repetitive(const Model& golden) {
  std::vector<SequenceRequest> requests = golden.requests;
  for (const float reward : {0.7f, 0.3f, 0.1f}) {
    requests.push_back(golden.requests[0]);
    requests.back().sampling.repetition_penalty = reward;
    requests.push_back(requests.back());
    requests.back().prompt = {text({5, 9, 12})};
  }
  requests.push_back(requests.back());
  requests.back().sampling = {.temperature = 0.5f, .repetition_penalty = 0.1f, .seed = 3};
  requests.push_back(golden.requests[0]);
  requests.back().sampling = {.temperature = 1, .top_k = 3, .seed = 4};
  for (SequenceRequest& request : requests) {
    request.max_new_tokens = 120;
    request.end_tokens = {};
  }
  return requests;
}

class SpeculationOf : public ::testing::TestWithParam<const char*> {};

TEST_P(SpeculationOf, GivesTheSameBits) {
  for (const DType weights : {DType::kF32, DType::kBF16, DType::kQ8, DType::kQ4_0}) {
    const Model golden(GetParam(), {.threads = 2}, weights);
    ASSERT_NE(golden.model, nullptr);
    const std::vector<SequenceRequest> requests = repetitive(golden);
    for (const std::optional<DType> kv : {std::optional<DType>{}, {DType::kQ8_0}}) {
      const EngineOptions plain{.kv_type = kv, .speculation = false};
      const EngineOptions ahead{.kv_type = kv};
      std::vector<Answer> expected;
      std::int64_t accepted = 0, drafted = 0;
      for (const SequenceRequest& request : requests) {
        const Counted one = run_counting(*golden.model, plain, {request});
        EXPECT_EQ(one.drafted, 0);
        expected.push_back(one.answers.front());
        const Counted alone = run_counting(*golden.model, ahead, {request});
        expect_same(alone.answers.front(), expected.back());
        EXPECT_EQ(alone.steps + alone.accepted, one.steps);
        EXPECT_LE(alone.accepted, alone.drafted);
        accepted += alone.accepted;
        drafted += alone.drafted;
      }
      // Right ones and wrong ones, or this tests nothing.
      EXPECT_GT(accepted, 50);
      EXPECT_GT(drafted, accepted + 20);
      for (std::size_t i = 0; i + 3 <= requests.size(); i += 2) {
        const std::vector<SequenceRequest> some(
            requests.begin() + static_cast<std::ptrdiff_t>(i),
            requests.begin() + static_cast<std::ptrdiff_t>(i + 3));
        const Counted together = run_counting(*golden.model, ahead, some);
        for (std::size_t j = 0; j < 3; ++j) expect_same(together.answers[j], expected[i + j]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, SpeculationOf,
                         ::testing::Values("clip_llama", "mistral_gqa", "mistral_window",
                                           "qwen2_chatml"),
                         [](const auto& tested) { return std::string(tested.param); });

class SpeculationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(golden_.model, nullptr);
    request_ = golden_.requests[0];
    request_.max_new_tokens = 100;
    request_.end_tokens = {};
    // Says what it said before: drafts are mostly right.
    request_.prompt = {text({5, 9, 12})};
    request_.sampling.repetition_penalty = 0.1f;
    plain_ = run(*golden_.model, {.speculation = false}, {request_}).front();
    ASSERT_EQ(plain_.tokens.size(), 100u);
  }
  // What `plain_` is when it ends after `tokens`.
  Answer cut(std::size_t tokens, SequenceEnd end) const {
    Answer answer = plain_;
    answer.tokens.resize(tokens);
    answer.logits.resize(tokens *
                         static_cast<std::size_t>(golden_.model->language().facts().vocab_size));
    answer.end = end;
    return answer;
  }

  const Model golden_{"clip_llama"};
  SequenceRequest request_;
  Answer plain_;
};

TEST_F(SpeculationTest, TakesFewerSteps) {
  const Counted ahead = run_counting(*golden_.model, {}, {request_});
  expect_same(ahead.answers.front(), plain_);
  EXPECT_GT(ahead.accepted, 50);
  EXPECT_LT(ahead.steps, 50);
}

// Each length cuts a draft somewhere else.
TEST_F(SpeculationTest, LengthsEndInsideADraft) {
  for (std::size_t length = 1; length <= 60; ++length) {
    request_.max_new_tokens = static_cast<std::int64_t>(length);
    const Counted ahead = run_counting(*golden_.model, {}, {request_});
    expect_same(ahead.answers.front(), cut(length, SequenceEnd::kLength));
  }
}

// The context is full in the middle of a draft: neither a position nor a block beyond it.
TEST_F(SpeculationTest, TheContextEndsInsideADraft) {
  const std::int64_t prompt = length_of(request_);
  for (std::int64_t room = 30; room < 50; ++room) {
    const Counted ahead = run_counting(
        *golden_.model, {.context_tokens = prompt + room, .max_sequences = 1}, {request_});
    expect_same(ahead.answers.front(), cut(static_cast<std::size_t>(room), SequenceEnd::kLength));
  }
}

// The drafts hold the end token too once it has been said; forced tokens let it be said without
// ending anything.
TEST_F(SpeculationTest, AnEndTokenInsideADraftEndsTheAnswer) {
  int inside = 0;
  for (std::size_t forced = 0; forced < 60; forced += 3) {
    for (std::size_t end = forced; end < std::min(forced + 8, plain_.tokens.size()); ++end) {
      SequenceRequest request = request_;
      request.forced_tokens.assign(plain_.tokens.begin(),
                                   plain_.tokens.begin() + static_cast<std::ptrdiff_t>(forced));
      request.end_tokens = {plain_.tokens[end]};
      const auto first = std::find(plain_.tokens.begin() + static_cast<std::ptrdiff_t>(forced),
                                   plain_.tokens.end(), plain_.tokens[end]);
      const Counted ahead = run_counting(*golden_.model, {}, {request});
      expect_same(
          ahead.answers.front(),
          cut(static_cast<std::size_t>(first - plain_.tokens.begin()) + 1, SequenceEnd::kEndToken));
      inside += ahead.accepted > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(inside, 10) << "this tests nothing";
}

TEST_F(SpeculationTest, ForcedTokensAreTakenOneAtATime) {
  request_.forced_tokens = plain_.tokens;
  const Counted forced = run_counting(*golden_.model, {}, {request_});
  expect_same(forced.answers.front(), plain_);
  EXPECT_EQ(forced.drafted, 0);
  EXPECT_EQ(forced.steps, 100);
}

TEST_F(SpeculationTest, IsOffWithoutACache) {
  request_.max_new_tokens = 40;
  const Counted whole = run_counting(*golden_.model, {.kv_cache = false}, {request_});
  expect_same(whole.answers.front(), cut(40, SequenceEnd::kLength));
  EXPECT_EQ(whole.drafted, 0);
}

// Sequences that come, go and are cancelled in the middle of drafts leave the others' bits alone.
TEST_F(SpeculationTest, CancelledSequencesLeaveOthersAlone) {
  const auto engine = *Engine::create(*golden_.model, {.max_sequences = 3});
  const std::int64_t watched = engine->add(request_).value();
  std::map<std::int64_t, Answer> found;
  std::vector<std::int64_t> others;
  for (int i = 0; !engine->idle() && !found[watched].end; ++i) {
    if (engine->has_room()) others.push_back(engine->add(request_).value());
    if (i % 7 == 6) engine->cancel(others[others.size() / 2]);
    note(found, engine->step());
  }
  expect_same(found[watched], plain_);
}

// A full house has no room for drafts; a chunk of one row has none either.
TEST_F(SpeculationTest, DraftsGetOnlyTheRowsThatAreLeft) {
  const std::vector<SequenceRequest> eight(8, request_);
  Counted crowded = run_counting(*golden_.model, {}, eight);
  for (const Answer& answer : crowded.answers) expect_same(answer, plain_);
  EXPECT_EQ(crowded.drafted, 0);
  const Counted narrow = run_counting(*golden_.model, {.chunk_tokens = 1}, {request_});
  expect_same(narrow.answers.front(), plain_);
  EXPECT_EQ(narrow.drafted, 0);
  const Counted pair = run_counting(*golden_.model, {.chunk_tokens = 3}, {request_, request_});
  for (const Answer& answer : pair.answers) expect_same(answer, plain_);
  EXPECT_GT(pair.accepted, 0);
}

}  // namespace
}  // namespace ocellus::engine
