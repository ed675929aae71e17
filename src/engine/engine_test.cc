// The engine with the golden models: the reference's tokens, and the same bits however the work is
// cut, shared and cached.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "engine/test_model.h"

namespace ocellus::engine {
namespace {

// Eight requests: the golden ones greedily, then again with sampling and a seed of their own.
std::vector<SequenceRequest> eight(const Model& golden) {
  std::vector<SequenceRequest> requests;
  for (std::size_t i = 0; i < 8; ++i) {
    SequenceRequest request = golden.requests[i % golden.requests.size()];
    if (i >= golden.requests.size()) {
      request.sampling = {.temperature = 1.5f, .top_p = 0.95f, .seed = i};
      request.max_new_tokens = 5 + static_cast<std::int64_t>(3 * i);
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

class EngineOf : public ::testing::TestWithParam<const char*> {};

TEST_P(EngineOf, GoldenModelGivesTheSameBitsHoweverItIsRun) {
  const Model golden(GetParam());
  ASSERT_NE(golden.model, nullptr);
  ASSERT_FALSE(golden.requests.empty());
  const std::vector<SequenceRequest> requests = eight(golden);
  std::vector<Answer> alone;
  for (const SequenceRequest& request : requests)
    alone.push_back(run(*golden.model, {}, {request}).front());
  for (std::size_t i = 0; i < golden.answers.size(); ++i)
    EXPECT_EQ(alone[i].tokens, golden.answers[i]) << "case " << i << " is not the reference's";
  const auto compare = [&](const models::Model& model, const EngineOptions& options,
                           const std::string& how) {
    SCOPED_TRACE(how);
    const std::vector<Answer> together = run(model, options, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) expect_same(together[i], alone[i]);
  };
  for (const std::int64_t chunk : {1, 3, 7, 64, 1024})
    compare(*golden.model, {.chunk_tokens = chunk}, "chunks of " + std::to_string(chunk));
  // A layer a slice, whatever it takes.
  compare(*golden.model, {.slice = std::chrono::nanoseconds(0)}, "slices of a layer");
  compare(*golden.model, {.kv_cache = false}, "no cache");
  for (const int threads : {1, 5}) {
    const Model other(GetParam(), {.threads = threads});
    compare(*other.model, {}, std::to_string(threads) + " threads");
  }
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512}) {
    const Model other(GetParam(), {.threads = 2, .isa = isa});
    if (other.model != nullptr) compare(*other.model, {}, other.backend->describe());
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, EngineOf,
                         ::testing::Values("clip_llama", "mistral_gqa", "mistral_window",
                                           "qwen2_chatml"),
                         [](const auto& tested) { return std::string(tested.param); });

// Weights that are rounded, and rounded keys and values: the answers differ from the reference's,
// and are their own all the same. bf16 has no scalar or AVX2 kernels, so other instructions give
// other bits where attention is fast.
TEST(FastEngine, RoundedModelsGiveTheSameBitsHoweverTheyAreRun) {
  using tensor::DType;
  struct Case {
    DType weights;
    std::optional<DType> kv;
  };
  for (const auto& [weights, kv] : {Case{DType::kQ4_0, std::nullopt}, Case{DType::kQ8, DType::kF16},
                                    Case{DType::kQ4, DType::kQ8_0}, Case{DType::kQ8_0, DType::kF32},
                                    Case{DType::kBF16, std::nullopt}}) {
    SCOPED_TRACE(tensor::dtype_name(weights));
    const Model golden("clip_llama", {.threads = 2}, weights);
    ASSERT_NE(golden.model, nullptr);
    EXPECT_EQ(golden.model->language().facts().arithmetic, compute::Arithmetic::kReducedPrecision);
    const std::vector<SequenceRequest> requests = eight(golden);
    std::vector<Answer> alone;
    for (const SequenceRequest& request : requests)
      alone.push_back(run(*golden.model, {.kv_type = kv}, {request}).front());
    const auto compare = [&](const models::Model& model, const EngineOptions& options,
                             const std::string& how) {
      SCOPED_TRACE(how);
      const std::vector<Answer> together = run(model, options, requests);
      for (std::size_t i = 0; i < requests.size(); ++i) expect_same(together[i], alone[i]);
    };
    for (const std::int64_t chunk : {1, 7, 1024})
      compare(*golden.model, {.kv_type = kv, .chunk_tokens = chunk},
              "chunks of " + std::to_string(chunk));
    compare(*golden.model, {.kv_cache = false, .kv_type = kv}, "no cache");
    for (const int threads : {1, 5}) {
      const Model other("clip_llama", {.threads = threads}, weights);
      compare(*other.model, {.kv_type = kv}, std::to_string(threads) + " threads");
    }
  }
}

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(golden_.model, nullptr); }

  std::unique_ptr<Engine> engine(const EngineOptions& options = {}) {
    auto made = Engine::create(*golden_.model, options);
    EXPECT_TRUE(made.has_value());
    return *std::move(made);
  }
  ErrorCode refusal(Engine& engine, SequenceRequest request) {
    const auto id = engine.add(std::move(request));
    EXPECT_FALSE(id.has_value());
    return id ? ErrorCode::kIo : id.error().code;
  }

  const Model golden_{"clip_llama"};
  const SequenceRequest request_ =
      golden_.requests.empty() ? SequenceRequest{} : golden_.requests[0];
};

TEST_F(EngineTest, SequencesComeAndGoWithoutTouchingOthers) {
  const std::vector<SequenceRequest> requests = eight(golden_);
  const Answer expected = run(*golden_.model, {}, {requests[0]}).front();
  const auto engine = this->engine({.chunk_tokens = 16});
  const std::int64_t watched = engine->add(requests[0]).value();
  std::map<std::int64_t, Answer> found;
  std::vector<std::int64_t> others;
  for (std::size_t i = 1; !engine->idle(); ++i) {
    if (engine->has_room()) others.push_back(engine->add(requests[i % 8]).value());
    if (i % 3 == 0) engine->cancel(others.back());
    note(found, engine->step());
    if (found[watched].end) break;
  }
  expect_same(found[watched], expected);
}

TEST_F(EngineTest, PromptsGetOnHoweverManyGenerate) {
  const auto engine = this->engine({.chunk_tokens = 1});
  SequenceRequest endless = request_;
  endless.max_new_tokens = 2000;
  endless.end_tokens = {};
  endless.prompt = {text({5})};
  ASSERT_TRUE(engine->add(endless).has_value());
  const std::int64_t late = engine->add(request_).value();
  std::map<std::int64_t, Answer> found;
  for (std::size_t i = 0; static_cast<std::int64_t>(i) <= length_of(request_); ++i)
    note(found, engine->step());
  EXPECT_FALSE(found[late].tokens.empty());
}

TEST_F(EngineTest, CancelledSequencesGiveTheirBlocksBack) {
  // Blocks for two sequences of 320 tokens, five each: a leak shows after two rounds.
  const EngineOptions options{.context_tokens = 320, .max_sequences = 2};
  const auto engine = this->engine(options);
  SequenceRequest request = request_;
  request.max_new_tokens = 1000;
  request.end_tokens = {};
  for (int round = 0; round < 20; ++round) {
    const std::int64_t a = engine->add(request).value(), b = engine->add(request).value();
    for (int i = 0; i < 3 + round % 5; ++i) {
      for (const SequenceEvent& event : engine->step()) ASSERT_FALSE(event.error.has_value());
    }
    engine->cancel(a);
    engine->cancel(b);
    engine->cancel(a);     // unknown by now
    engine->cancel(9999);  // never known
    ASSERT_TRUE(engine->idle());
    EXPECT_TRUE(engine->step().empty());
  }
  ASSERT_TRUE(engine->add(request).has_value());
  ASSERT_TRUE(engine->add(request).has_value());
  std::map<std::int64_t, Answer> found;
  while (!engine->idle()) note(found, engine->step());
  for (const auto& [id, answer] : found) {
    EXPECT_FALSE(answer.error.has_value()) << answer.error->message;
    EXPECT_EQ(answer.end, SequenceEnd::kLength);
    EXPECT_EQ(std::ssize(answer.tokens) + length_of(request), options.context_tokens);
  }
}

TEST_F(EngineTest, TheContextEndsAnAnswerAndRefusesAPrompt) {
  const std::int64_t prompt = length_of(request_);
  SequenceRequest request = request_;
  request.max_new_tokens = 1000;
  request.end_tokens = {};
  for (const std::int64_t room : {1, 2, 9}) {
    const Answer answer = run(*golden_.model, {.context_tokens = prompt + room}, {request}).front();
    EXPECT_EQ(std::ssize(answer.tokens), room);
    EXPECT_EQ(answer.end, SequenceEnd::kLength);
  }
  for (const std::int64_t context : {prompt, prompt - 1, std::int64_t{1}}) {
    const auto id = engine({.context_tokens = context})->add(request);
    ASSERT_FALSE(id.has_value());
    EXPECT_EQ(id.error().code, ErrorCode::kContextFull);
    EXPECT_NE(id.error().message.find(std::to_string(prompt)), std::string::npos);
  }
}

// Every prompt row at once, in any chunks, beside another sequence; the last is the row from which
// the first token was chosen, and a row is the one that a prompt ending there gives.
TEST_F(EngineTest, KeepsTheLogitsOfTheWholePrompt) {
  const Answer expected = run(*golden_.model, {}, {request_}).front();
  const auto prompt = static_cast<std::size_t>(length_of(request_));
  const auto vocabulary = static_cast<std::size_t>(golden_.model->language().facts().vocab_size);
  SequenceRequest asking = request_;
  asking.keep_prompt_logits = true;
  std::vector<float> whole;
  for (const EngineOptions& options :
       {EngineOptions{}, EngineOptions{.chunk_tokens = 7}, EngineOptions{.kv_cache = false}}) {
    const auto engine = this->engine(options);
    const std::int64_t other = engine->add(request_).value();
    const std::int64_t watched = engine->add(asking).value();
    std::map<std::int64_t, Answer> found;
    std::vector<float> rows;
    while (!engine->idle()) {
      const std::vector<SequenceEvent> events = engine->step();
      for (const SequenceEvent& event : events)
        rows.insert(rows.end(), event.prompt_logits.begin(), event.prompt_logits.end());
      note(found, events);
    }
    expect_same(found[watched], expected);
    expect_same(found[other], expected);
    ASSERT_EQ(rows.size(), prompt * vocabulary);
    EXPECT_TRUE(std::equal(rows.end() - static_cast<std::ptrdiff_t>(vocabulary), rows.end(),
                           expected.logits.begin()));
    if (whole.empty()) whole = rows;
    EXPECT_EQ(rows, whole);
  }
  SequenceRequest shorter = request_;  // what comes after the picture may go
  shorter.prompt.back().tokens.pop_back();
  shorter.max_new_tokens = 1;
  const Answer before = run(*golden_.model, {}, {shorter}).front();
  EXPECT_TRUE(std::equal(before.logits.begin(), before.logits.end(),
                         whole.end() - 2 * static_cast<std::ptrdiff_t>(vocabulary)));
}

TEST_F(EngineTest, ForcedTokensTakeThePlacesOfChosenOnes) {
  const Answer expected = run(*golden_.model, {}, {request_}).front();
  ASSERT_GT(expected.tokens.size(), 4u);
  SequenceRequest forced = request_;
  // The model's own tokens: the same logits, though the second is now an end token.
  forced.forced_tokens.assign(expected.tokens.begin(), expected.tokens.begin() + 3);
  forced.end_tokens = {expected.tokens[1]};
  Answer answer = run(*golden_.model, {}, {forced}).front();
  const auto same = std::ranges::mismatch(answer.tokens, expected.tokens).in1;
  EXPECT_GT(same - answer.tokens.begin(), 3);
  EXPECT_TRUE(std::equal(answer.logits.begin(),
                         answer.logits.begin() + 3 * golden_.model->language().facts().vocab_size,
                         expected.logits.begin()));
  // Others: what follows is what a prompt with them at its end gives.
  const std::int32_t another = expected.tokens[0] == 7 ? 8 : 7;
  forced.forced_tokens = {another};
  forced.max_new_tokens = 2;
  answer = run(*golden_.model, {}, {forced}).front();
  SequenceRequest longer = request_;
  longer.prompt.back().tokens.push_back(another);
  longer.max_new_tokens = 1;
  const Answer after = run(*golden_.model, {}, {longer}).front();
  ASSERT_EQ(answer.tokens.size(), 2u);
  EXPECT_EQ(answer.tokens[0], another);
  EXPECT_EQ(answer.tokens[1], after.tokens[0]);
  EXPECT_TRUE(std::equal(after.logits.begin(), after.logits.end(),
                         answer.logits.end() - golden_.model->language().facts().vocab_size));
}

TEST_F(EngineTest, EndTokensAndLengthEndAnAnswer) {
  SequenceRequest request = request_;
  const std::vector<std::int32_t>& all = golden_.answers[0];
  request.max_new_tokens = 3;
  request.end_tokens = {};
  Answer answer = run(*golden_.model, {}, {request}).front();
  EXPECT_EQ(answer.tokens, std::vector(all.begin(), all.begin() + 3));
  EXPECT_EQ(answer.end, SequenceEnd::kLength);
  request.end_tokens = {-7, all[1]};
  answer = run(*golden_.model, {}, {request}).front();
  const auto end = std::ranges::find(all, all[1]) + 1;  // the end token itself is told too
  EXPECT_EQ(answer.tokens, std::vector(all.begin(), end));
  EXPECT_EQ(answer.end, SequenceEnd::kEndToken);
}

TEST_F(EngineTest, AStopEndsItsOwnSequenceOnly) {
  const Answer expected = run(*golden_.model, {}, {request_}).front();
  const auto engine = this->engine();
  const std::int64_t kept = engine->add(request_).value();
  SequenceRequest request = request_;
  int asked = 0;
  request.stop = [&] { return ++asked > 3; };
  const std::int64_t stopped = engine->add(request).value();
  std::map<std::int64_t, Answer> found;
  while (!engine->idle()) note(found, engine->step());
  ASSERT_TRUE(found[stopped].error.has_value());
  EXPECT_EQ(found[stopped].error->code, ErrorCode::kCancelled);
  EXPECT_LT(found[stopped].tokens.size(), expected.tokens.size());
  expect_same(found[kept], expected);
}

TEST_F(EngineTest, APoisonedPictureFailsAloneAndLeavesNothingBehind) {
  const Answer expected = run(*golden_.model, {}, {request_}).front();
  const auto engine = this->engine({.max_sequences = 2});
  auto poison = std::make_shared<ImageEmbeddings>(*request_.prompt[1].image);
  for (float& value : poison->data) value = std::numeric_limits<float>::quiet_NaN();
  SequenceRequest bad = request_;
  bad.prompt[1].image = poison;
  for (int round = 0; round < 3; ++round) {
    const std::int64_t first = engine->add(bad).value(), second = engine->add(request_).value();
    std::map<std::int64_t, Answer> found;
    while (!engine->idle()) note(found, engine->step());
    ASSERT_TRUE(found[first].error.has_value());
    EXPECT_EQ(found[first].error->code, ErrorCode::kInternal);
    EXPECT_NE(found[first].error->message.find("non-finite logits at token 0"), std::string::npos);
    expect_same(found[second], expected);
  }
  // Into the blocks that the poison was in.
  const std::int64_t a = engine->add(request_).value(), b = engine->add(request_).value();
  std::map<std::int64_t, Answer> found;
  while (!engine->idle()) note(found, engine->step());
  expect_same(found[a], expected);
  expect_same(found[b], expected);
}

TEST_F(EngineTest, RefusesRequestsThatCannotBeRun) {
  const auto engine = this->engine({.max_sequences = 1});
  const auto with = [&](auto change) {
    SequenceRequest request = request_;
    change(request);
    return refusal(*engine, std::move(request));
  };
  const auto vocabulary = static_cast<std::int32_t>(golden_.model->language().facts().vocab_size);
  EXPECT_EQ(with([&](auto& r) { r.prompt.back().tokens.back() = vocabulary; }),
            ErrorCode::kBadModel);
  EXPECT_EQ(with([](auto& r) { r.prompt.back().tokens.back() = -1; }), ErrorCode::kBadModel);
  EXPECT_EQ(with([](auto& r) { r.prompt.clear(); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.max_new_tokens = 0; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.max_new_tokens = -4; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.prompt[1].rows += 1; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.prompt[1].first_row = 1; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.prompt[1].first_row = -1; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.prompt[1].tokens = {1}; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([&](auto& r) { r.forced_tokens = {0, vocabulary}; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.forced_tokens = {-1}; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with([](auto& r) { r.sampling.top_p = 0; }), ErrorCode::kInvalidArgument);
  const auto with_image = [&](auto change) {
    auto image = std::make_shared<ImageEmbeddings>(*request_.prompt[1].image);
    change(*image);
    return with([&](auto& r) { r.prompt[1].image = image; });
  };
  EXPECT_EQ(with_image([](auto& i) { i.cols *= 2; }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with_image([](auto& i) { i.data.pop_back(); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(with_image([](auto& i) { i.inner = {{1.0f}}; }), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(engine->idle());
  ASSERT_TRUE(engine->add(request_).has_value());
  EXPECT_EQ(refusal(*engine, request_), ErrorCode::kUnavailable);
}

TEST_F(EngineTest, RefusesOptionsThatCannotBeMeant) {
  for (const EngineOptions& options :
       {EngineOptions{.context_tokens = 0}, EngineOptions{.context_tokens = -1},
        EngineOptions{.context_tokens = std::numeric_limits<std::int64_t>::max()},
        EngineOptions{.max_sequences = 0}, EngineOptions{.max_sequences = ~std::size_t{0}},
        EngineOptions{.chunk_tokens = 0}}) {
    const auto made = Engine::create(*golden_.model, options);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace ocellus::engine
