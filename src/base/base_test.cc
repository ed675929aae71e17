#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/log.h"
#include "base/result.h"
#include "base/sha256.h"
#include "base/thread.h"
#include "base/utf8.h"

namespace ocellus::base {
namespace {

using ::testing::HasSubstr;

TEST(Checked, OverflowIsNothing) {
  EXPECT_EQ(checked_mul<std::uint64_t>(1u << 31, 2), 1ull << 32);
  EXPECT_EQ(checked_mul<std::uint64_t>(1ull << 33, 1ull << 31), std::nullopt);
  EXPECT_EQ(checked_add<std::int32_t>(2147483647, 1), std::nullopt);
  EXPECT_EQ((checked_cast<std::uint8_t>(-1)), std::nullopt);
  EXPECT_EQ((checked_cast<std::uint8_t>(255)), 255);
}

TEST(AlignedBuffer, IsAlignedAndSaysWhatItCouldNotGet) {
  auto buffer = AlignedBuffer::make(100);
  ASSERT_TRUE(buffer.has_value());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data()) % AlignedBuffer::kAlignment, 0u);
  EXPECT_EQ(buffer->size(), 100u);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const auto huge = AlignedBuffer::make(std::size_t{1} << 60);
  ASSERT_FALSE(huge.has_value());
  EXPECT_EQ(huge.error().code, ErrorCode::kOutOfMemory);
  EXPECT_THAT(huge.error().message, HasSubstr("1152921504606846976"));
#endif
}

TEST(Utf8, PrefixSuffixAndReplacement) {
  EXPECT_TRUE(is_valid_utf8("aé漢😀"));
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));          // overlong
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));      // surrogate
  EXPECT_FALSE(is_valid_utf8("\xF4\x90\x80\x80"));  // beyond U+10FFFF
  EXPECT_EQ(valid_utf8_prefix("ab\xE6\xBC"), 2u);
  EXPECT_EQ(incomplete_utf8_suffix("ab\xE6\xBC"), 2u);
  EXPECT_EQ(incomplete_utf8_suffix("ab\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_utf8_suffix("ab\x80"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix("漢"), 0u);
  EXPECT_EQ(replace_invalid_utf8("a\xFF"
                                 "b\xE6\xBC"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
}

TEST(Sha256, KnownVector) {  // FIPS 180-4, "abc"
  const std::string text = "abc";
  EXPECT_EQ(to_hex(sha256(std::as_bytes(std::span(text)))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Thread, RefusedStartIsAnError) {
  set_thread_start_hook([](const std::string&) { return false; });
  const auto refused = start_thread("worker", [] {});
  set_thread_start_hook({});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  bool ran = false;
  {
    auto thread = start_thread("worker", [&] { ran = true; });
  }
  EXPECT_TRUE(ran);
}

TEST(Thread, BlocksAllSignalsButFaults) {
  sigset_t mask;
  {
    auto thread = start_thread("worker", [&] { ::pthread_sigmask(SIG_BLOCK, nullptr, &mask); });
    ASSERT_TRUE(thread.has_value());
  }
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
    EXPECT_EQ(::sigismember(&mask, fault), 0) << fault;
  for (const int other : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ, SIGALRM, SIGPROF, SIGCHLD})
    EXPECT_EQ(::sigismember(&mask, other), 1) << other;
}

TEST(Thread, ACrashHandlerRunsOnIt) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    struct sigaction action {};
    action.sa_handler = [](int) { ::_exit(42); };
    ::sigaction(SIGSEGV, &action, nullptr);
    void* const forbidden = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    {
      auto thread = start_thread("worker", [&] { *static_cast<volatile char*>(forbidden) = 1; });
    }
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

TEST(Log, SinkGetsLinesAndMayThrow) {
  std::string seen;
  set_log_sink([&](LogLevel, std::string_view line) {
    seen = line;
    throw 1;
  });
  log(LogLevel::kInfo, "hello");
  set_log_sink({});
  log(LogLevel::kInfo, "unseen");
  EXPECT_EQ(seen, "hello");
}

}  // namespace
}  // namespace ocellus::base
