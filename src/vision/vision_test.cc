#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "base/read_file.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "runtime/runtime.h"
#include "vision/test_pictures.h"

namespace ocellus::vision {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

using namespace testing;

const char* const kCount = "How many objects are there?";
const char* const kDescribe = "Describe the picture.";
fs::path scene() { return file("scene.png"); }

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "ocellus-vision-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path path() const { return path_; }

 private:
  fs::path path_;
};

Model open(const Registry& registry, ModelOptions options = {}) {
  if (options.path.empty()) options.path = demo();
  auto model = const_cast<Registry&>(registry).open(options);
  EXPECT_TRUE(model.has_value()) << model.error().message;
  return *model;
}

std::string answer(Model& model, const std::string& question, const AskOptions& options = kGreedy) {
  return text_of(model.ask(picture(), question, options));
}

int thread_count() {
  return static_cast<int>(
      std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()));
}

TEST(Vision, AnswersFromEverySource) {
  Model model = open(*Registry::create());
  EXPECT_EQ(answer(model, kCount), "4");
  const std::string bytes = *base::read_file(scene(), 1 << 20);
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  auto stream = model.ask(Picture::from_bytes({data, data + bytes.size()}), kCount, kGreedy);
  EXPECT_EQ(stream->wait()->text, "4");
}

TEST(Vision, PiecesAreTheWholeAndValid) {
  Model model = open(*Registry::create());
  auto stream = model.ask(picture(), kDescribe, kGreedy);
  std::string whole;
  while (true) {
    auto piece = stream->next();
    ASSERT_TRUE(piece.has_value()) << piece.error().message;
    if (!*piece) break;
    EXPECT_TRUE(base::is_valid_utf8((*piece)->text));
    EXPECT_FALSE((*piece)->text.empty() && (*piece)->ids.empty());
    whole += (*piece)->text;
  }
  EXPECT_EQ(whole, answer(model, kDescribe));
  EXPECT_EQ(stream->stats().image_tokens, 64);
  EXPECT_GT(stream->stats().generated_tokens, 10);
  EXPECT_EQ(stream->stats().finish, FinishReason::kStop);
}

TEST(Vision, WithoutCacheTheTextIsTheSame) {
  const Registry registry = *Registry::create();
  Model with = open(registry), without = open(registry, {.kv_cache = false});
  EXPECT_EQ(answer(with, kDescribe), answer(without, kDescribe));
}

TEST(Vision, WithoutSpeculationTheTextIsTheSame) {
  const Registry registry = *Registry::create();
  Model with = open(registry), without = open(registry, {.speculation = false});
  const AskOptions longer{.max_new_tokens = 60, .temperature = 0, .repetition_penalty = 0.8f};
  const auto expected = without.ask(picture(), kDescribe, longer)->wait(),
             found = with.ask(picture(), kDescribe, longer)->wait();
  ASSERT_TRUE(expected.has_value() && found.has_value());
  EXPECT_EQ(found->text, expected->text);
  EXPECT_EQ(found->stats.generated_tokens, expected->stats.generated_tokens);
  EXPECT_EQ(found->stats.finish, expected->stats.finish);
  EXPECT_EQ(expected->stats.drafted_tokens, 0);
  EXPECT_EQ(expected->stats.accepted_tokens, 0);
  // A penalty below 1 is a reward for saying it again.
  EXPECT_GT(found->stats.accepted_tokens, 0);
  EXPECT_LE(found->stats.accepted_tokens, found->stats.drafted_tokens);
}

TEST(Vision, NeighboursDoNotChangeAnAnswer) {
  Model model = open(*Registry::create());
  const AskOptions sampled{.temperature = 1.0f, .seed = 5};
  const std::string alone = answer(model, kDescribe),
                    alone_sampled = answer(model, kDescribe, sampled);
  std::vector<AnswerStream> streams;
  for (int i = 0; i < 6; ++i)
    streams.push_back(*model.ask(picture(), kDescribe, i % 2 == 0 ? kGreedy : sampled));
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(streams[i].wait()->text, i % 2 == 0 ? alone : alone_sampled) << i;
}

TEST(Vision, EarlierTurnsAndStopTexts) {
  Model model = open(*Registry::create());
  const std::vector<Message> turns = {Message::user(picture(), kCount), Message::assistant("4"),
                                      Message::user("What is at the top left?")};
  EXPECT_EQ(model.ask(turns, kGreedy)->wait()->text, "a big red circle");
  AskOptions stop = kGreedy;
  stop.stop = {" red"};
  EXPECT_EQ(answer(model, "What is at the top left?", stop), "a big");
}

// A model whose loading goes on only when the test says so.
struct HeldModel {
  std::promise<void> release;
  std::shared_future<void> may_load = release.get_future().share();
  Model model =
      open(*Registry::create(), {.progress = [this](double, const char*) { may_load.wait(); }});
};

TEST(Vision, DroppedAndCancelledStreamsEnd) {
  HeldModel held;
  { auto dropped = held.model.ask(picture(), kDescribe, kGreedy); }
  auto cancelled = held.model.ask(picture(), kDescribe, kGreedy);
  cancelled->cancel();
  held.release.set_value();
  const auto result = cancelled->wait();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
  // The model goes on with the next.
  EXPECT_EQ(answer(held.model, kCount), "4");
}

TEST(Vision, CancellingEndsAnAnswerThatIsBeingRead) {
  Model model = open(*Registry::create());
  AskOptions endless = kGreedy;
  endless.ignore_eos = true;
  endless.max_new_tokens = 1900;
  auto stream = model.ask(picture(), kDescribe, endless);
  ASSERT_TRUE(stream->next().has_value());
  stream->cancel();
  const auto rest = stream->wait();
  ASSERT_FALSE(rest.has_value());
  EXPECT_EQ(rest.error().code, ErrorCode::kCancelled);
}

TEST(Vision, DeadlineEndsTheAnswer) {
  HeldModel held;
  AskOptions options = kGreedy;
  options.deadline = std::chrono::milliseconds(1);
  const auto asked = std::chrono::steady_clock::now();
  auto stream = held.model.ask(picture(), kDescribe, options);
  ASSERT_TRUE(stream.has_value());
  while (std::chrono::steady_clock::now() < asked + std::chrono::milliseconds(10))
    std::this_thread::yield();
  held.release.set_value();
  const auto result = stream->wait();
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
  options.deadline = std::chrono::milliseconds(0);
  EXPECT_EQ(held.model.ask(picture(), kCount, options).error().code, ErrorCode::kInvalidArgument);
}

TEST(Vision, BadRequestsFailAlone) {
  Model model = open(*Registry::create());
  EXPECT_EQ(model.ask(Picture::from_path("/no/such.png"), kCount, kGreedy)->wait().error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(model.ask(Picture::from_bytes(std::vector<std::byte>(100)), kCount, kGreedy)
                ->wait()
                .error()
                .code,
            ErrorCode::kBadImage);
  EXPECT_EQ(model.ask(Picture::from_url("http://127.0.0.1/"), kCount, kGreedy)->wait().error().code,
            ErrorCode::kForbidden);
  AskOptions options = kGreedy;
  options.top_p = std::nanf("");
  EXPECT_EQ(model.ask(picture(), kCount, options)->wait().error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(model.ask(picture(), "", kGreedy).error().code, ErrorCode::kInvalidArgument);
  std::string endless(60'000, 'x');
  EXPECT_EQ(model.ask(picture(), endless, kGreedy)->wait().error().code, ErrorCode::kContextFull);
  EXPECT_EQ(answer(model, kCount), "4");
}

TEST(Vision, SixteenFirstUsersShareOneLoad) {
  int stages = 0;
  double last = 2;
  ModelOptions options;
  // Called by the loading thread only: a second load would begin again at the start.
  options.progress = [&](double fraction, const char*) {
    if (fraction < last) ++stages;
    last = fraction;
  };
  Model model = open(*Registry::create(), options);
  std::vector<std::jthread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([model, &right]() mutable {
      // A full mailbox is an answer too; it must be that and nothing else.
      auto stream = model.ask(picture(), kCount, kGreedy);
      if (!stream) {
        right += stream.error().code == ErrorCode::kUnavailable;
      } else if (auto whole = stream->wait()) {
        right += whole->text == "4";
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 16);
  EXPECT_EQ(stages, 1);
}

TEST(Vision, FailedLoadCanBeTriedAgain) {
  const Folder folder;
  Registry registry = *Registry::create();
  Model model = open(registry, {.path = folder.path()});
  const auto failed = model.load();
  ASSERT_FALSE(failed.has_value());
  EXPECT_THAT(failed.error().message, HasSubstr("config.json"));
  const auto stream = model.ask(picture(), kCount, kGreedy);
  if (stream) {
    EXPECT_FALSE(const_cast<AnswerStream&>(*stream).wait().has_value());
  }
  fs::copy(demo(), folder.path(), fs::copy_options::recursive);
  EXPECT_TRUE(model.load().has_value());
  EXPECT_EQ(answer(model, kCount), "4");
}

TEST(Vision, ShutDownAndBack) {
  Model model = open(*Registry::create());
  EXPECT_EQ(answer(model, kCount), "4");
  model.shutdown();
  EXPECT_EQ(answer(model, kCount), "4");
}

TEST(Vision, AShutdownDuringALoadReleasesWhoWaitsAndNoSecondCopyIsLoaded) {
  using namespace std::chrono_literals;
  std::atomic<int> loads = 0;
  std::promise<void> loading, second, release;
  const std::shared_future<void> until = release.get_future().share();
  ModelOptions options;
  options.progress = [&](double, const char*) {
    thread_local int seen = 0;
    if (seen++ > 0) return;
    if (++loads == 1) {
      loading.set_value();
      until.wait();
    } else {
      second.set_value();
    }
  };
  Model model = open(*Registry::create(), options);
  auto first = std::async(std::launch::async, [&] { return model.load(); });
  loading.get_future().wait();
  auto stopped = std::async(std::launch::async, [&] { model.shutdown(); });
  EXPECT_EQ(first.get().error().code, ErrorCode::kUnavailable);
  auto again = std::async(std::launch::async, [&] { return model.load(); });
  EXPECT_EQ(second.get_future().wait_for(50ms), std::future_status::timeout);
  release.set_value();
  stopped.wait();
  EXPECT_TRUE(again.get().has_value());
  EXPECT_EQ(loads, 2);
}

TEST(Vision, TenModelsAreTenThreads) {
  Registry registry = *Registry::create({.threads = 2});
  ASSERT_NE(runtime::shared_runtime(), nullptr);
  std::vector<Model> models;
  const int before = thread_count() - runtime::shared_runtime()->thread_count();
  for (int i = 0; i < 10; ++i) {
    ModelOptions options{.path = demo(), .max_new_tokens = 10 + i};
    models.push_back(open(registry, options));
    ASSERT_TRUE(models.back().load().has_value());
  }
  EXPECT_EQ(thread_count() - runtime::shared_runtime()->thread_count(), before + 10);
  EXPECT_EQ(runtime::shared_runtime_creations(), 1);
}

TEST(Vision, RefusedThreadIsAnErrorAndNotTheEnd) {
  Model model = open(*Registry::create());
  base::set_thread_start_hook([](const std::string&) { return false; });
  const auto refused = model.load();
  base::set_thread_start_hook({});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(model.load().has_value());
}

}  // namespace
}  // namespace ocellus::vision
