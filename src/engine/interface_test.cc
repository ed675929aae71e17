// What the engine asks of a model and gives it, with a model that has everything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "engine/engine.h"
#include "engine/test_fake_model.h"

namespace ocellus::engine {
namespace {

using namespace std::chrono_literals;
using models::Position;
using models::Segment;
using ::testing::ElementsAre;

Segment text(std::vector<std::int32_t> tokens) { return {.tokens = std::move(tokens)}; }

// `rows` rows of an image whose first value is their number.
std::shared_ptr<models::ImageEmbeddings> image(std::int64_t rows) {
  auto made = std::make_shared<models::ImageEmbeddings>();
  made->rows = rows;
  made->cols = FakeLanguage::kHidden;
  for (std::int64_t i = 0; i < rows; ++i) {
    made->data.push_back(static_cast<float>(i));
    made->data.push_back(0);
  }
  return made;
}

Segment all_of(std::shared_ptr<const models::ImageEmbeddings> image,
               std::shared_ptr<const models::ImagePlan> plan = nullptr) {
  const std::int64_t rows = image->rows;
  return {.image = std::move(image), .plan = std::move(plan), .rows = rows};
}

struct Outcome {
  std::map<std::int64_t, std::vector<std::int32_t>> tokens;
  std::int64_t drafted = 0, accepted = 0;
};

void note(Outcome& run, const Engine::Events& events) {
  for (const SequenceEvent& event : events) {
    EXPECT_FALSE(event.error.has_value()) << event.error->message;
    if (event.token) run.tokens[event.sequence].push_back(*event.token);
    run.drafted += event.drafted;
    run.accepted += event.accepted ? 1 : 0;
  }
}

Outcome run(const FakeModel& model, EngineOptions options,
            const std::vector<SequenceRequest>& requests) {
  const auto engine = *Engine::create(model, options);
  for (const SequenceRequest& request : requests) EXPECT_TRUE(engine->add(request).has_value());
  Outcome outcome;
  while (!engine->idle()) note(outcome, engine->step());
  return outcome;
}

SequenceRequest request(std::vector<Segment> prompt, std::int64_t tokens) {
  SequenceRequest request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = tokens;
  return request;
}

// Two blocks of 64 slots for two sequences: one that needs a second block finds none.
TEST(EngineInterface, AReserveThatFailsEndsThatSequenceAlone) {
  const std::vector<std::int32_t> prompt(60, 1);
  for (const bool cache : {true, false}) {
    FakeModel model;
    const Outcome alone = run(model, {.kv_cache = cache}, {request({text({2, 3})}, 20)});
    const auto engine =
        *Engine::create(model, {.max_sequences = 2, .kv_blocks = 2, .kv_cache = cache});
    const std::int64_t grows = *engine->add(request({text(prompt)}, 20));
    const std::int64_t stays = *engine->add(request({text({2, 3})}, 20));
    std::map<std::int64_t, Error> errors;
    std::vector<std::int32_t> tokens;
    while (!engine->idle()) {
      for (const SequenceEvent& event : engine->step()) {
        if (event.error) errors.emplace(event.sequence, *event.error);
        if (event.token && event.sequence == stays) tokens.push_back(*event.token);
      }
    }
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors.begin()->first, grows);
    EXPECT_EQ(errors.begin()->second.code, ErrorCode::kUnavailable);
    EXPECT_EQ(tokens, alone.tokens.begin()->second);
    EXPECT_EQ(tokens.size(), 20u);
  }
}

TEST(EngineInterface, PositionsAreApartFromSlots) {
  FakeModel model;
  // Four rows, two by two: they share a time, and take two positions.
  auto plan = std::make_shared<models::ImagePlan>();
  plan->layout = {{.rows = 4}};
  plan->positions = {{0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 1, 1}};
  plan->position_span = 2;
  run(model, {.speculation = false},
      {request({text({1, 2}), all_of(image(4), plan), text({3})}, 3)});
  std::vector<Position> positions;
  std::vector<std::int64_t> slots;
  for (const auto& rows : model.language_model.seen) {
    positions.insert(positions.end(), rows.positions.begin(), rows.positions.end());
    for (std::int64_t i = 0; i < rows.rows; ++i) slots.push_back(rows.first_slot + i);
  }
  EXPECT_THAT(slots, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8));
  EXPECT_THAT(positions, ElementsAre(Position{0, 0, 0}, Position{1, 1, 1}, Position{2, 2, 2},
                                     Position{2, 2, 3}, Position{2, 3, 2}, Position{2, 3, 3},
                                     Position{4, 4, 4}, Position{5, 5, 5}, Position{6, 6, 6}));
}

// Text between the rows of one image, rows for inner layers, a state: the same tokens however the
// prompt is cut, alone, beside others, drafted or not.
TEST(EngineInterface, InnerRowsAndStateAreTheSameHoweverTheWorkIsCut) {
  FakeModel model;
  auto picture = image(6);
  picture->inner = {std::vector<float>(12, 2.0f), {1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0}};
  Segment upper = all_of(picture), lower = all_of(picture);
  upper.rows = 3;
  lower.first_row = lower.rows = 3;
  const SequenceRequest asked = request({text({1}), upper, text({5}), lower, text({2, 3})}, 60);
  const SequenceRequest other = request({text({4, 4, 2, 1, 1})}, 40);
  Outcome all;
  for (const std::uint64_t modulus : {5, 11}) {
    model.language_model.modulus = modulus;
    const Outcome alone = run(model, {.speculation = false}, {asked}),
                  other_alone = run(model, {.speculation = false}, {other});
    ASSERT_EQ(alone.tokens.at(1).size(), 60u);
    // A state needs its rows in order, which it gets with a cache.
    EXPECT_EQ(run(model, {.kv_cache = false}, {asked}).tokens.at(1), alone.tokens.at(1));
    for (const std::int64_t chunk : {1, 2, 3, 5, 1024}) {
      for (const bool speculation : {false, true}) {
        SCOPED_TRACE(::testing::Message() << chunk << (speculation ? " drafted" : ""));
        const EngineOptions options{.speculation = speculation, .chunk_tokens = chunk};
        EXPECT_EQ(run(model, options, {asked}).tokens.at(1), alone.tokens.at(1));
        const Outcome both = run(model, options, {other, asked});
        EXPECT_EQ(both.tokens.at(1), other_alone.tokens.at(1));
        EXPECT_EQ(both.tokens.at(2), alone.tokens.at(1));
        all.drafted += both.drafted;
        all.accepted += both.accepted;
      }
    }
    // An inner row that is another one changes the answer: they do arrive.
    auto changed = std::make_shared<models::ImageEmbeddings>(*picture);
    changed->inner[1][10] = 9;
    SequenceRequest different = asked;
    for (Segment& segment : different.prompt)
      if (segment.image) segment.image = changed;
    EXPECT_NE(run(model, {}, {different}).tokens.at(1), alone.tokens.at(1));
  }
  // Right and wrong drafts, both.
  EXPECT_GT(all.accepted, 50);
  EXPECT_GT(all.drafted, all.accepted + 10);
}

// A batch that is given up half-way leaves the states of the others in it as they were.
TEST(EngineInterface, ACancelledNeighbourInTheSameBatchLeavesTheStateAlone) {
  FakeModel model;
  std::vector<std::int32_t> ids;
  for (std::int32_t i = 0; i < 13; ++i) ids.push_back(i * i % 5);
  const SequenceRequest asked = request({text(ids)}, 20);
  const Outcome alone = run(model, {}, {asked});
  model.language_model.row_time = 3ms;
  // Both are in one batch, a layer of which takes more than half a slice: it is under way
  // afterwards.
  const auto engine =
      *Engine::create(model, {.slice = 100ms, .clock = [&] { return model.language_model.now; }});
  const std::int64_t kept = *engine->add(asked), gone = *engine->add(asked);
  Outcome outcome;
  note(outcome, engine->prefill());
  engine->cancel(gone);
  while (!engine->idle()) note(outcome, engine->step());
  EXPECT_EQ(outcome.tokens.at(kept), alone.tokens.at(1));
  EXPECT_FALSE(outcome.tokens.contains(gone));
}

TEST(EngineInterface, ImagesThatAttendBothWaysAreNeverSplit) {
  FakeModel model;
  model.language_model.settings.images_attend_both_ways = true;
  const SequenceRequest asked =
      request({text({1, 2, 3}), all_of(image(5)), text({4}), all_of(image(3)), text({5, 1})}, 2);
  const Outcome whole = run(model, {}, {asked});
  for (const std::int64_t chunk : {1, 2, 4, 6, 9}) {
    SCOPED_TRACE(chunk);
    model.language_model.seen.clear();
    EXPECT_EQ(run(model, {.speculation = false, .chunk_tokens = chunk}, {asked}).tokens,
              whole.tokens);
    std::vector<compute::SlotRange> ranges;
    for (const auto& rows : model.language_model.seen) {
      for (const compute::SlotRange& range : rows.bidirectional) {
        EXPECT_GE(range.begin, rows.first_slot);
        EXPECT_LE(range.end, rows.first_slot + rows.rows);
        ranges.push_back(range);
      }
    }
    EXPECT_THAT(ranges, ElementsAre(compute::SlotRange{3, 8}, compute::SlotRange{9, 12}));
  }
}

// One answer is running when a prompt of 3,000 tokens comes. A row takes a millisecond a layer, so
// that the whole prompt in one step would take nine seconds.
TEST(EngineSlices, ALongPromptNeverHoldsAnAnswerForMoreThanASlice) {
  FakeModel model;
  model.language_model.row_time = 1ms;
  const auto engine =
      *Engine::create(model, {.slice = 100ms, .clock = [&] { return model.language_model.now; }});
  const auto run_both = [&](bool late) {
    const std::int64_t running = *engine->add(request({text({1, 2})}, 400));
    while (!engine->decoding()) engine->prefill();
    if (late) {
      EXPECT_TRUE(engine->add(request({text(std::vector<std::int32_t>(3000, 2))}, 1)).has_value());
    }
    Outcome outcome;
    std::chrono::nanoseconds longest{0};
    auto last = model.language_model.now;
    while (!engine->idle()) {
      const Engine::Events events = engine->decode();
      if (std::ranges::any_of(events, [&](const auto& e) { return e.sequence == running; })) {
        longest = std::max(longest, std::chrono::nanoseconds(model.language_model.now - last));
        last = model.language_model.now;
      }
      note(outcome, events);
      note(outcome, engine->prefill());
    }
    return std::pair(outcome.tokens.at(running), longest);
  };
  const auto [tokens, longest] = run_both(true);
  EXPECT_EQ(tokens, run_both(false).first);
  // The slice, and the step that follows it: eight rows at most, three layers.
  EXPECT_LE(longest, 100ms + 24ms);
  EXPECT_GT(longest, 50ms);  // it does use its slice
}

}  // namespace
}  // namespace ocellus::engine
