// Conversations, what a stream tells of its tokens, and the other things that a model can be asked,
// through the public API and with the demo model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>

#include "vision/test_pictures.h"

namespace ocellus::vision {
namespace {

using namespace std::chrono_literals;
using namespace testing;
using ::testing::HasSubstr;

const char* const kCount = "How many objects are there?";
const char* const kDescribe = "Describe the picture.";

TEST(Conversation, ImagesAndTextMayComeInAnyOrder) {
  Model model = open_demo();
  const std::string alone = text_of(model.ask(picture(), kCount, kGreedy));
  // A picture that is sent as a message of its own is the one that the next message asks about.
  const std::vector<Message> apart = {{Role::kUser, {picture()}}, Message::user(kCount)};
  EXPECT_FALSE(text_of(model.ask(apart, kGreedy)).starts_with("error"));
  // Two pictures are two: twice the image tokens, and each where it stands.
  const std::vector<Message> two = {
      {Role::kUser, {picture(), picture("night.gif"), std::string(kCount)}}};
  auto answer = model.ask(two, kGreedy)->wait();
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->stats.image_tokens, 128);
  std::vector<Message> swapped = two;
  std::swap(swapped[0].parts[0], swapped[0].parts[1]);
  const auto other = model.ask(swapped, {.max_new_tokens = 1, .temperature = 0, .logprobs = true})
                         ->wait(),
             same =
                 model.ask(two, {.max_new_tokens = 1, .temperature = 0, .logprobs = true})->wait();
  ASSERT_TRUE(other.has_value() && same.has_value());
  EXPECT_NE(other->tokens[0].token.logprob, same->tokens[0].token.logprob);
  // No picture at all is a conversation too.
  EXPECT_FALSE(text_of(model.ask({Message::user(kCount)}, kGreedy)).starts_with("error"));
  EXPECT_EQ(text_of(model.ask(picture(), kCount, kGreedy)), alone);
}

// Only a few pictures are decoded ahead of the tower; all of a question are seen in the end.
TEST(Conversation, MorePicturesThanAreDecodedAhead) {
  Model model = open_demo();
  Message message{Role::kUser, {}};
  for (const char* name :
       {"scene.png", "night.gif", "crosses.bmp", "phone.jpg", "seven.webp", "stop.jpg"})
    message.parts.emplace_back(picture(name));
  message.parts.emplace_back(std::string(kCount));
  const auto answer = model.ask({message}, kGreedy)->wait();
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->stats.image_tokens, 6 * 64);
}

TEST(Conversation, APromptThatBeginsAlikeComputesTheRestAndAnswersTheSame) {
  Model model = open_demo();
  const AskOptions options = {.max_new_tokens = 6, .temperature = 0, .logprobs = true};
  const std::vector<Message> first = {Message::user(picture(), kDescribe)},
                             other = {Message::user(picture("night.gif"), kDescribe)};
  const auto ask = [&](Model& asked, const std::vector<Message>& messages) {
    const auto answer = asked.ask(messages, options)->wait();
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(Answer());
  };
  const Answer alone = ask(model, first);
  EXPECT_EQ(alone.stats.cached_tokens, 0);
  EXPECT_EQ(ask(model, other).stats.cached_tokens, 0);  // the pictures come first, and differ
  std::vector<Message> next = first;
  next.push_back(Message::assistant(alone.text));
  next.push_back(Message::user(kCount));
  const Answer again = ask(model, first), later = ask(model, next);
  EXPECT_GE(again.stats.cached_tokens, 64);
  EXPECT_GE(later.stats.cached_tokens, 64);
  model.shutdown();
  Model forgetful = open_demo({.prefix_cache_bytes = 0});
  for (const auto& [messages, found] : {std::pair(first, again), std::pair(next, later)}) {
    const Answer expected = ask(forgetful, messages);
    EXPECT_EQ(expected.stats.cached_tokens, 0);
    EXPECT_EQ(found.ids, expected.ids);
    ASSERT_EQ(found.tokens.size(), expected.tokens.size());
    for (std::size_t i = 0; i < found.tokens.size(); ++i)
      EXPECT_EQ(found.tokens[i].token.logprob, expected.tokens[i].token.logprob);
  }
}

TEST(Conversation, WhatCannotBeAskedIsRefusedAtOnce) {
  Model model = open_demo();
  const auto refused = [&](std::vector<Message> messages) {
    const auto stream = model.ask(std::move(messages), kGreedy);
    EXPECT_FALSE(stream.has_value());
    return stream ? std::string() : stream.error().message;
  };
  EXPECT_THAT(refused({}), HasSubstr("messages"));
  EXPECT_THAT(refused({Message::user("a"), Message::assistant("b")}), HasSubstr("the user's"));
  EXPECT_THAT(refused({{Role::kUser, {}}}), HasSubstr("found nothing"));
  EXPECT_THAT(refused({{Role::kUser, std::vector<Part>(65, Part(picture()))}}),
              HasSubstr("at most 64 images"));
  EXPECT_THAT(refused({Message::user(std::string(2 << 20, 'x'))}), HasSubstr("bytes of text"));
}

TEST(Stream, TellsTokensAndTheirLogprobs) {
  Model model = open_demo();
  AskOptions options = kGreedy;
  options.logprobs = true;
  options.top_logprobs = 3;
  const auto answer = model.ask(picture(), kDescribe, options)->wait();
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  ASSERT_EQ(answer->ids.size(), answer->tokens.size());
  EXPECT_EQ(static_cast<std::int64_t>(answer->ids.size()), answer->stats.generated_tokens);
  std::string spelled;
  for (std::size_t i = 0; i < answer->tokens.size(); ++i) {
    const TokenInfo& info = answer->tokens[i];
    EXPECT_EQ(info.token.id, answer->ids[i]);
    ASSERT_EQ(info.top.size(), 3u);
    // Greedy: the chosen token is the likeliest one.
    EXPECT_EQ(info.top[0].id, info.token.id);
    EXPECT_EQ(info.top[0].logprob, info.token.logprob);
    EXPECT_GE(info.top[0].logprob, info.top[1].logprob);
    EXPECT_GE(info.top[1].logprob, info.top[2].logprob);
    double sum = 0;
    for (const TokenLogprob& each : info.top) sum += std::exp(static_cast<double>(each.logprob));
    EXPECT_LE(sum, 1.0 + 1e-6);
    spelled += info.token.text;
  }
  EXPECT_EQ(spelled, answer->text);
  // Asking for them changes nothing else.
  EXPECT_EQ(text_of(model.ask(picture(), kDescribe, kGreedy)), answer->text);
  options.logprobs = false;
  EXPECT_THAT(text_of(model.ask(picture(), kDescribe, options)), HasSubstr("top_logprobs"));
}

TEST(Stream, CanBePolledAndWaitedForATime) {
  std::promise<void> loading;
  const std::shared_future<void> may_load = loading.get_future().share();
  ModelOptions slow;
  slow.progress = [&](double, const char*) { may_load.wait(); };
  Model model = open_demo(slow);
  auto stream = model.ask(picture(), kDescribe, kGreedy);
  ASSERT_TRUE(stream.has_value());
  EXPECT_EQ(stream->try_next()->state, StreamPoll::State::kPending);
  EXPECT_EQ(stream->next_for(1ms)->state, StreamPoll::State::kPending);
  loading.set_value();
  std::string whole;
  while (true) {
    auto polled = stream->next_for(10s);
    ASSERT_TRUE(polled.has_value()) << polled.error().message;
    if (polled->state == StreamPoll::State::kEnd) break;
    ASSERT_EQ(polled->state, StreamPoll::State::kPiece);
    whole += polled->piece.text;
  }
  EXPECT_EQ(stream->try_next()->state, StreamPoll::State::kEnd);
  EXPECT_EQ(whole, text_of(model.ask(picture(), kDescribe, kGreedy)));
}

TEST(AskOptionsTest, PenaltiesBiasesAndEndTokens) {
  Model model = open_demo();
  const auto plain = model.ask(picture(), kDescribe, kGreedy)->wait();
  ASSERT_TRUE(plain.has_value());
  // A forbidden first token gives another answer.
  AskOptions biased = kGreedy;
  biased.logit_bias[plain->ids[0]] = -100;
  const auto other = model.ask(picture(), kDescribe, biased)->wait();
  ASSERT_TRUE(other.has_value()) << other.error().message;
  EXPECT_NE(other->ids[0], plain->ids[0]);
  EXPECT_EQ(std::ranges::count(other->ids, plain->ids[0]), 0);
  AskOptions outside = kGreedy;
  outside.logit_bias[1 << 20] = 1;
  EXPECT_THAT(text_of(model.ask(picture(), kDescribe, outside)), HasSubstr("logit_bias"));

  AskOptions longer = kGreedy;
  longer.min_tokens = plain->stats.generated_tokens + 5;
  longer.max_new_tokens = longer.min_tokens + 50;
  const auto more = model.ask(picture(), kDescribe, longer)->wait();
  ASSERT_TRUE(more.has_value());
  EXPECT_GE(more->stats.generated_tokens, longer.min_tokens);
  EXPECT_TRUE(std::equal(plain->ids.begin(), plain->ids.end(), more->ids.begin()));

  AskOptions endless = kGreedy;
  endless.ignore_eos = true;
  endless.max_new_tokens = 80;
  const auto all = model.ask(picture(), kCount, endless)->wait();
  ASSERT_TRUE(all.has_value());
  EXPECT_EQ(all->stats.generated_tokens, 80);
  EXPECT_EQ(all->stats.finish, FinishReason::kLength);

  // Every repetition costs: the text that went on for ever repeats itself less.
  AskOptions varied = endless;
  varied.frequency_penalty = 2;
  varied.presence_penalty = 2;
  const auto different = model.ask(picture(), kCount, varied)->wait();
  ASSERT_TRUE(different.has_value());
  const auto kinds = [](std::vector<std::int32_t> ids) {
    std::ranges::sort(ids);
    return std::ssize(ids) - std::ranges::ssize(std::ranges::unique(ids));
  };
  EXPECT_GT(kinds(different->ids), kinds(all->ids));
  varied.presence_penalty = 3;
  EXPECT_THAT(text_of(model.ask(picture(), kCount, varied)), HasSubstr("presence_penalty"));
}

TEST(AskOptionsTest, ProgressGoesThroughTheStages) {
  Model model = open_demo();
  std::vector<StageProgress> told;  // written by the worker before the stream ends
  AskOptions options = kGreedy;
  options.progress = [&](const StageProgress& progress) { told.push_back(progress); };
  const std::vector<Message> two = {
      {Role::kUser, {picture(), picture("night.gif"), std::string(kCount)}}};
  const auto answer = model.ask(two, options)->wait();
  ASSERT_TRUE(answer.has_value());
  ASSERT_FALSE(told.empty());
  // The two pictures go side by side; what is told of one stage grows, and the tower comes last.
  std::map<Stage, std::int64_t> done;
  for (const StageProgress& progress : told) {
    EXPECT_GT(progress.done, done[progress.stage]);
    done[progress.stage] = progress.done;
    if (progress.stage >= Stage::kTower) {
      EXPECT_EQ(done[Stage::kDecode], 2);
    }
  }
  EXPECT_EQ(told.front().stage, Stage::kQueue);
  EXPECT_EQ(told.back().stage, Stage::kPrefill);
  EXPECT_EQ(told.back().done, answer->stats.prompt_tokens);
  for (const Stage stage : {Stage::kFetch, Stage::kDecode, Stage::kTower}) {
    const auto last = std::find_if(told.rbegin(), told.rend(),
                                   [&](const StageProgress& p) { return p.stage == stage; });
    ASSERT_NE(last, told.rend());
    EXPECT_EQ(last->done, 2);
    EXPECT_EQ(last->total, 2);
  }
}

TEST(Model, CountsTokensWithoutTheTower) {
  Model model = open_demo();
  const std::vector<Message> two = {
      {Role::kUser, {picture(), picture("night.gif"), std::string(kCount)}}};
  const auto count = model.count_tokens(two);
  ASSERT_TRUE(count.has_value()) << count.error().message;
  const auto answer = model.ask(two, kGreedy)->wait();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(*count, answer->stats.prompt_tokens);
  EXPECT_EQ(model.count_tokens({}).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      model.count_tokens({Message::user(Picture::from_path("/no/such.png"), "?")}).error().code,
      ErrorCode::kNotFound);
}

TEST(Model, EmbedsAnImage) {
  Model model = open_demo();
  const auto embedded = model.embed_image(picture());
  ASSERT_TRUE(embedded.has_value()) << embedded.error().message;
  EXPECT_EQ(embedded->rows, 64);
  ASSERT_EQ(embedded->data.size(), static_cast<std::size_t>(embedded->rows * embedded->cols));
  ASSERT_EQ(embedded->mean.size(), static_cast<std::size_t>(embedded->cols));
  double sum = 0;
  for (std::int64_t row = 0; row < embedded->rows; ++row)
    sum += embedded->data[static_cast<std::size_t>(row * embedded->cols)];
  EXPECT_NEAR(embedded->mean[0], sum / 64, 1e-5);
  EXPECT_EQ(model.embed_image(picture())->data, embedded->data);
  EXPECT_NE(model.embed_image(picture("night.gif"))->data, embedded->data);
  EXPECT_EQ(model.embed_image(Picture::from_bytes(std::vector<std::byte>(9))).error().code,
            ErrorCode::kBadImage);
}

TEST(Model, DrainFinishesWhatWasAsked) {
  std::promise<void> loading;
  const std::shared_future<void> may_load = loading.get_future().share();
  ModelOptions slow;
  slow.progress = [&](double, const char*) { may_load.wait(); };
  Model model = open_demo(slow);
  std::vector<AnswerStream> streams;
  for (int i = 0; i < 3; ++i) streams.push_back(*model.ask(picture(), kCount, kGreedy));
  ASSERT_TRUE(model.drain().has_value());
  loading.set_value();
  for (AnswerStream& stream : streams) EXPECT_EQ(stream.wait()->text, "4");
  // Asked again, it starts again.
  EXPECT_EQ(text_of(model.ask(picture(), kCount, kGreedy)), "4");
}

// Whoever asks while the last answers are being finished waits for another worker.
TEST(Model, DrainTurnsNobodyAway) {
  Model model = open_demo();
  for (int i = 0; i < 20; ++i) {
    auto before = model.ask(picture(), kCount, kGreedy);
    ASSERT_TRUE(model.drain().has_value());
    EXPECT_EQ(text_of(model.ask(picture(), kCount, kGreedy)), "4") << i;
    EXPECT_EQ(text_of(std::move(before)), "4");
  }
}

// A callback that throws is the caller's defect; it ends the caller's request and nothing else.
TEST(Model, AnExceptionInARequestEndsNobodyElse) {
  Model model = open_demo();
  ASSERT_TRUE(model.load().has_value());
  AskOptions bad = kGreedy;
  bad.progress = [](const StageProgress& progress) {
    if (progress.stage == Stage::kDecode) throw std::bad_alloc();
  };
  EXPECT_EQ(model.ask(picture(), kCount, bad)->wait().error().code, ErrorCode::kOutOfMemory);
  bad.progress = [](const StageProgress& progress) {
    if (progress.stage == Stage::kPrefill) throw std::runtime_error("in a step");
  };
  const auto failed = model.ask(picture(), kCount, bad)->wait();
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kInternal);
  EXPECT_EQ(text_of(model.ask(picture(), kCount, kGreedy)), "4");
}

}  // namespace
}  // namespace ocellus::vision
