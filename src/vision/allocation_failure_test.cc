// Memory runs out at every allocation of a whole question, on whatever thread: a typed error or the
// same answer, no hang, and the next question gets the same answer bit for bit.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <optional>
#include <vector>

#include "base/test_allocations.h"
#include "vision/test_pictures.h"

namespace ocellus::vision {
namespace {

using namespace std::chrono_literals;
using namespace testing;
namespace fs = std::filesystem;

constexpr auto kHung = 60s;  // nothing here takes a second
constexpr long kMaxAllocations = 100'000;

struct Outcome {
  bool hung = false;
  std::optional<Error> error;
  std::vector<std::int32_t> ids;
};

// Reads a stream to its end, without waiting for ever.
Outcome read(Result<AnswerStream> stream) {
  Outcome outcome;
  try {
    if (!stream) outcome.error = std::move(stream).error();
    while (stream && !outcome.error) {
      auto polled = stream->next_for(kHung);
      if (!polled) outcome.error = std::move(polled).error();
      if (!polled || polled->state == StreamPoll::State::kEnd) break;
      outcome.hung = polled->state == StreamPoll::State::kPending;
      if (outcome.hung) break;
      outcome.ids.insert(outcome.ids.end(), polled->piece.ids.begin(), polled->piece.ids.end());
    }
  } catch (const std::bad_alloc&) {  // the test's own
    outcome.error.emplace(Error{ErrorCode::kOutOfMemory, {}});
  }
  return outcome;
}

// The same picture, and another file each time: no cache knows it. A bitmap's reserved bytes count.
fs::path new_file() {
  return fs::temp_directory_path() / fmt::format("ocellus-new-{}.bmp", ::getpid());
}

std::vector<Message> ask_about_a_new_file(bool by_path) {
  static std::uint32_t number = 0;
  std::vector<std::byte> bytes(fs::file_size(file("crosses.bmp")));
  std::ifstream(file("crosses.bmp"), std::ios::binary)
      .read(reinterpret_cast<char*>(bytes.data()), std::ssize(bytes));
  constexpr std::size_t kReserved = 6;
  std::memcpy(bytes.data() + kReserved, &++number, sizeof(number));
  const fs::path path = new_file();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  return {Message::user(by_path ? Picture::from_path(path) : Picture::from_bytes(std::move(bytes)),
                        "What is on the left?")};
}

struct Case {
  bool by_path;
  bool for_good;  // everything after the first failure fails too
};

class AllocationFailure : public ::testing::TestWithParam<Case> {
 protected:
  void TearDown() override { fs::remove(new_file()); }
};

TEST_P(AllocationFailure, AWholeQuestionEndsInAnErrorOrInItsAnswer) {
  const auto [by_path, for_good] = GetParam();
  const AskOptions options{.max_new_tokens = 3, .temperature = 0.0f};
  ModelOptions settings{.path = source() / "tests/golden/clip_llama/model"};
  Model model = open_demo(settings);
  const auto expected = model.ask(ask_about_a_new_file(by_path), options)->wait();
  ASSERT_TRUE(expected.has_value()) << expected.error().message;

  std::vector<Message> next = ask_about_a_new_file(by_path);
  AskOptions next_options = options;
  Outcome outcome;
  int failures = 0, answers = 0;
  const auto work = [&] { outcome = read(model.ask(std::move(next), std::move(next_options))); };
  const auto check = [&](bool failed) {
    ASSERT_FALSE(outcome.hung);
    if (outcome.error) {
      EXPECT_TRUE(failed) << outcome.error->message;
      EXPECT_TRUE(outcome.error->code == ErrorCode::kOutOfMemory ||
                  outcome.error->code == ErrorCode::kInternal ||
                  outcome.error->code == ErrorCode::kUnavailable)
          << error_info(outcome.error->code).name << ": " << outcome.error->message;
    }
    if (!outcome.error) {
      EXPECT_EQ(outcome.ids, expected->ids);
    }
    failures += outcome.error ? 1 : 0;
    answers += outcome.error ? 0 : 1;
    const Outcome after = read(model.ask(ask_about_a_new_file(by_path), options));
    ASSERT_FALSE(after.hung);
    ASSERT_FALSE(after.error.has_value()) << after.error->message;
    EXPECT_EQ(after.ids, expected->ids);
    next = ask_about_a_new_file(by_path);
    next_options = options;
  };
  const long count = base::testing::fail_each_allocation(
      {.for_good = for_good, .scope = base::testing::AllocationScope::kProcess}, kMaxAllocations,
      work, check);
  EXPECT_GT(count, 100);
  RecordProperty("allocations", static_cast<int>(count));
  EXPECT_GT(failures, count / 2);
  EXPECT_GT(answers, 0);
  const auto last = model.ask(ask_about_a_new_file(by_path), options)->wait();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->ids, expected->ids);
  EXPECT_EQ(last->text, expected->text);
}

// Not a file with memory gone for good: Asio's destructors allocate then, and end the process.
INSTANTIATE_TEST_SUITE_P(Sources, AllocationFailure,
                         ::testing::Values(Case{false, false}, Case{false, true},
                                           Case{true, false}),
                         [](const auto& tested) {
                           return std::string(tested.param.by_path ? "Path" : "Bytes") +
                                  (tested.param.for_good ? "ForGood" : "Once");
                         });

}  // namespace
}  // namespace ocellus::vision
