// Prompts that begin alike: the same bits as alone, and only what differs is computed.
#include <gtest/gtest.h>

#include "engine/test_fake_model.h"
#include "engine/test_model.h"

namespace ocellus::engine {
namespace {

constexpr std::size_t kCache = std::size_t{64} << 20;
constexpr std::int64_t kBlock = 64;

std::vector<std::int32_t> ids(std::int64_t count, std::int32_t first) {
  std::vector<std::int32_t> made;
  for (std::int64_t i = 0; i < count; ++i)
    made.push_back(3 + (first + static_cast<std::int32_t>(i) * 7) % 50);
  return made;
}

// `text`, an image that takes more than a block, `question`.
SequenceRequest about(const Model& golden, unsigned char image, std::optional<base::Sha256> content,
                      std::int64_t question, std::int32_t first_word = 5) {
  const ImageEmbeddings& known = *golden.requests[0].prompt[1].image;
  auto rows = std::make_shared<ImageEmbeddings>();
  rows->cols = known.cols;
  rows->rows = 100;
  for (std::int64_t i = 0; i < rows->rows * rows->cols; ++i)
    rows->data.push_back(known.data[static_cast<std::size_t>(i) % known.data.size()] *
                         (image == 1 ? 1.0f : 0.5f));
  SequenceRequest request;
  request.prompt = {text(ids(90, 1)), rows_of(rows), text(ids(question, first_word))};
  request.prompt[1].content = content;
  request.max_new_tokens = 12;
  request.keep_logits = true;
  return request;
}

base::Sha256 content(unsigned char number) { return {number}; }

struct Shared {
  Answer answer;
  std::int64_t rows = 0;
};

Shared ask(Engine& engine, const SequenceRequest& request) {
  const auto id = engine.add(request);
  EXPECT_TRUE(id.has_value());
  Shared result;
  std::map<std::int64_t, Answer> answers;
  while (!engine.idle()) {
    const auto events = engine.step();
    note(answers, events);
    for (const SequenceEvent& event : events) {
      if (event.sequence == *id && event.prefilled) result.rows = event.shared;
    }
  }
  result.answer = answers[*id];
  return result;
}

struct Kind {
  const char* model;
  tensor::DType weights;
  std::optional<tensor::DType> kv;
};

class PrefixOf : public ::testing::TestWithParam<Kind> {};

TEST_P(PrefixOf, AModelGivesTheSameBitsFromWhateverIsShared) {
  const Kind& kind = GetParam();
  const Model golden(kind.model, {.threads = 2}, kind.weights);
  ASSERT_NE(golden.model, nullptr);
  const SequenceRequest asked = about(golden, 1, content(1), 80);
  const std::int64_t length = 90 + 100 + 80;
  struct Case {
    const char* what;
    SequenceRequest request;
    std::int64_t shared;
  };
  SequenceRequest sampled = asked;
  sampled.sampling = {.temperature = 1.2f, .seed = 9};
  for (const std::int64_t chunk : {7, 1024}) {
    const EngineOptions plain = {.kv_type = kind.kv, .chunk_tokens = chunk};
    EngineOptions sharing = plain;
    sharing.prefix_cache_bytes = kCache;
    const auto engine = *Engine::create(*golden.model, sharing);
    for (const Case& c : {
             Case{"first", asked, 0},
             Case{"again", asked, length / kBlock * kBlock},
             Case{"sampled", sampled, length / kBlock * kBlock},
             Case{"another question", about(golden, 1, content(1), 80, 6), 190 / kBlock * kBlock},
             Case{"another image", about(golden, 2, content(2), 80), 90 / kBlock * kBlock},
             Case{"an image without a hash", about(golden, 1, std::nullopt, 80),
                  90 / kBlock * kBlock},
         }) {
      SCOPED_TRACE(c.what);
      const Shared found = ask(*engine, c.request);
      EXPECT_EQ(found.rows, c.shared);
      expect_same(found.answer, run(*golden.model, plain, {c.request}).front());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, PrefixOf,
    ::testing::Values(Kind{"clip_llama", tensor::DType::kF32, std::nullopt},
                      Kind{"mistral_window", tensor::DType::kF32, std::nullopt},
                      Kind{"clip_llama", tensor::DType::kQ4, std::nullopt},
                      Kind{"clip_llama", tensor::DType::kQ8, tensor::DType::kQ8_0},
                      Kind{"clip_llama", tensor::DType::kBF16, tensor::DType::kF16}),
    [](const auto& tested) {
      return std::string(tested.param.model) + "_" +
             std::string(tensor::dtype_name(tested.param.weights));
    });

class Prefix : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(golden_.model, nullptr); }
  const Model golden_{"clip_llama"};
};

// A prompt of whole blocks: its last row is computed all the same, for the token after it.
TEST_F(Prefix, TheLastRowIsComputed) {
  SequenceRequest request;
  request.prompt = {text(ids(2 * kBlock, 1))};
  request.max_new_tokens = 4;
  request.keep_logits = true;
  const auto engine = *Engine::create(*golden_.model, {.prefix_cache_bytes = kCache});
  const Shared first = ask(*engine, request), second = ask(*engine, request);
  EXPECT_EQ(second.rows, kBlock);
  expect_same(second.answer, first.answer);
}

TEST_F(Prefix, WhoComesWhileThePromptIsComputedTakesOverWhatIsThere) {
  const SequenceRequest request = about(golden_, 1, content(1), 80);
  const auto engine =
      *Engine::create(*golden_.model, {.prefix_cache_bytes = kCache, .chunk_tokens = kBlock});
  const std::int64_t first = *engine->add(request);
  std::map<std::int64_t, Answer> answers;
  std::map<std::int64_t, std::int64_t> shared;
  std::int64_t second = -1;
  while (!engine->idle()) {
    for (const SequenceEvent& event : engine->step()) {
      note(answers, {event});
      if (!event.prefilled) continue;
      shared[event.sequence] = event.shared;
      if (second < 0) second = *engine->add(request);
    }
  }
  EXPECT_EQ(shared[first], 0);
  EXPECT_GE(shared[second], kBlock);
  expect_same(answers[second], answers[first]);
}

TEST_F(Prefix, ManyAtATimeAndALittleCacheGiveTheSameBits) {
  std::vector<SequenceRequest> requests;
  for (int i = 0; i < 24; ++i) {
    const auto image = static_cast<unsigned char>(1 + i % 2);
    requests.push_back(about(golden_, image, content(image), 10 + 20 * (i % 3), 5 + i % 4));
  }
  std::vector<Answer> alone;
  for (const SequenceRequest& request : requests)
    alone.push_back(run(*golden_.model, {}, {request}).front());
  const auto geometry = golden_.model->language().kv_geometry(tensor::DType::kF32);
  const std::size_t block = *golden_.model->language().kv_block_bytes(geometry);
  for (const std::size_t blocks : {1u, 3u, 100u}) {
    const auto engine = *Engine::create(
        *golden_.model,
        {.max_sequences = 3, .prefix_cache_bytes = blocks * block, .chunk_tokens = 50});
    std::map<std::int64_t, Answer> answers;
    std::vector<std::int64_t> added;
    while (added.size() < requests.size() || !engine->idle()) {
      if (engine->has_room() && added.size() < requests.size())
        added.push_back(*engine->add(requests[added.size()]));
      if (added.size() == 12) engine->cancel(added.back());
      note(answers, engine->step());
    }
    for (std::size_t i = 0; i < added.size(); ++i) {
      if (answers[added[i]].end) expect_same(answers[added[i]], alone[i]);
    }
    EXPECT_GE(
        std::ranges::count_if(answers, [](const auto& a) { return a.second.end.has_value(); }), 23);
  }
}

// Rows that see what comes after them are computed in one step: no prefix ends between them.
TEST(PrefixOfImages, AnImageThatAttendsBothWaysIsSharedWholeOrNotAtAll) {
  FakeModel model;
  model.language_model.settings.state_bytes = 0;
  model.language_model.settings.images_attend_both_ways = true;
  auto image = std::make_shared<ImageEmbeddings>();
  image->rows = 60;
  image->cols = FakeLanguage::kHidden;
  image->data.resize(static_cast<std::size_t>(image->rows * image->cols));
  SequenceRequest request;
  request.prompt = {text(std::vector<std::int32_t>(100, 1)), rows_of(image),
                    text(std::vector<std::int32_t>(100, 2))};
  request.prompt[1].content = content(1);
  request.max_new_tokens = 1;
  const auto engine = *Engine::create(model, {.prefix_cache_bytes = kCache});
  EXPECT_EQ(ask(*engine, request).rows, 0);
  EXPECT_EQ(ask(*engine, request).rows, 256);  // of 260, and the end is in no image
  request.prompt[2] = text(std::vector<std::int32_t>(100, 3));
  EXPECT_EQ(ask(*engine, request).rows, kBlock);  // two blocks agree; the second ends in the image
}

}  // namespace
}  // namespace ocellus::engine
