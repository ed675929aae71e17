#include "base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "base/read_file.h"

namespace ocellus::base {
namespace {

class AtomicFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "atomic.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::size_t files() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++count;
    return count;
  }

  std::filesystem::path folder_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST_F(AtomicFileTest, AppearsWholeAndReadable) {
  const auto path = folder_ / "m";
  ASSERT_TRUE(write_file_atomically(path, bytes_of("old")).has_value());
  auto file = AtomicFile::create(path);
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE(file->append(bytes_of("new ")).has_value());
  ASSERT_TRUE(file->append(bytes_of("content")).has_value());
  EXPECT_EQ(file->size(), 11u);
  EXPECT_EQ(*read_file(path, 100), "old");
  ASSERT_TRUE(file->commit().has_value());
  EXPECT_EQ(*read_file(path, 100), "new content");
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0644u);
  EXPECT_EQ(files(), 1u);
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
  {
    auto file = AtomicFile::create(folder_ / "m");
    ASSERT_TRUE(file.has_value());
    const AtomicFile moved = *std::move(file);
    EXPECT_LE(files(), 1u);  // it may have no name yet
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(AtomicFileTest, AKilledProcessLeavesNothing) {
  {
    const auto file = AtomicFile::create(folder_ / "m");
    ASSERT_TRUE(file.has_value());
    if (files() > 0) GTEST_SKIP() << "no files without a name on this file system";
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto file = AtomicFile::create(folder_ / "m");
    if (file && file->append(std::vector<std::byte>(3000))) ::raise(SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(files(), 0u);
}

TEST_F(AtomicFileTest, FreeSpaceIsAskedFor) {
  EXPECT_TRUE(check_free_space(folder_ / "m", 1).has_value());
  const Status status = check_free_space(folder_ / "m", std::uint64_t{1} << 62);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_NE(status.error().message.find("expected 4611686018427387904 free bytes"),
            std::string::npos);
  EXPECT_FALSE(check_free_space(folder_ / "no" / "m", 1).has_value());
}

TEST_F(AtomicFileTest, ErrorsNameFileAndOffset) {
  const auto nowhere = AtomicFile::create(folder_ / "no" / "m");
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_EQ(nowhere.error().code, ErrorCode::kIo);

  // A file that may not grow stands for a full disk.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  Status status;
  {
    auto file = AtomicFile::create(folder_ / "m");
    if (file) status = file->append(std::vector<std::byte>(3000));
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_NE(status.error().message.find((folder_ / "m").string()), std::string::npos);
  EXPECT_NE(status.error().message.find("offset 1000"), std::string::npos);
  EXPECT_EQ(files(), 0u);

  // The target is a directory: the rename fails, and the temporary file goes.
  std::filesystem::create_directory(folder_ / "d");
  {
    auto file = AtomicFile::create(folder_ / "d");
    ASSERT_TRUE(file.has_value());
    EXPECT_FALSE(file->commit().has_value());
  }
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace ocellus::base
