// Files read and written, with the system's calls failing where a test says so.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/file_calls.h"
#include "base/mapped_file.h"
#include "base/read_file.h"

namespace ocellus::base {
namespace {

using ::testing::HasSubstr;

// A fresh folder, and no hook left behind.
class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "ocellus-files-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    set_file_call_hook({});
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path write(const char* name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }
  std::size_t files() const {
    const std::filesystem::directory_iterator entries(folder_);
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }

  std::filesystem::path folder_;
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

TEST_F(FilesTest, MapsAndNoticesChange) {
  const auto path = write("a", "hello");
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->bytes().size(), 5u);
  EXPECT_FALSE(file->changed());
  std::filesystem::resize_file(path, 3);
  EXPECT_TRUE(file->changed());
  EXPECT_TRUE(MappedFile::open(write("empty", ""))->bytes().empty());
}

TEST_F(FilesTest, AMappedFileThatIsCutShortReadsAsZerosAndSaysSo) {
  const std::size_t size = 1 << 20;
  const auto path = write("a", std::string(size, 'x')), other = write("b", std::string(size, 'y'));
  auto opened = MappedFile::open(path), untouched = MappedFile::open(other);
  ASSERT_TRUE(opened && untouched);
  const MappedFile file = *std::move(opened);
  EXPECT_EQ(file.bytes()[size - 1], std::byte{'x'});
  EXPECT_FALSE(file.lost());
  std::filesystem::resize_file(path, 10);
  EXPECT_EQ(file.bytes()[size / 2], std::byte{0});
  EXPECT_EQ(file.bytes()[size - 1], std::byte{0});
  EXPECT_EQ(file.bytes()[0], std::byte{'x'});
  EXPECT_TRUE(file.lost());
  std::filesystem::resize_file(path, size);
  EXPECT_TRUE(file.changed());
  EXPECT_EQ(untouched->bytes()[size - 1], std::byte{'y'});
  EXPECT_FALSE(untouched->lost() || untouched->changed());
}

TEST_F(FilesTest, AFaultElsewhereEndsTheProcessAsBefore) {
  const auto path = write("a", std::string(1 << 20, 'x'));
  ASSERT_TRUE(MappedFile::open(path));  // the handler is there
  const FileDescriptor fd = open_file(path, O_RDONLY);
  const auto* memory = static_cast<const volatile char*>(
      ::mmap(nullptr, 1 << 20, PROT_READ, MAP_PRIVATE, fd.get(), 0));
  ASSERT_NE(memory, MAP_FAILED);
  std::filesystem::resize_file(path, 10);
  EXPECT_DEATH(static_cast<void>(memory[1 << 19]), "");
}

TEST_F(FilesTest, ErrorsOfOpeningNameTheFile) {
  ::mkfifo((folder_ / "pipe").c_str(), 0600);
  const struct {
    std::filesystem::path path;
    ErrorCode code;
    const char* part;
  } cases[] = {
      {folder_ / "missing", ErrorCode::kNotFound, "missing: cannot open: No such file"},
      {write("a", "x") / "below", ErrorCode::kNotFound, "below: cannot open: Not a directory"},
      {folder_, ErrorCode::kInvalidArgument, "expected a regular file, found a directory"},
      {folder_ / "pipe", ErrorCode::kInvalidArgument, "expected a regular file, found a pipe"},
      {"/dev/null", ErrorCode::kInvalidArgument, "expected a regular file, found a device"},
  };
  for (const auto& c : cases) {
    const auto mapped = MappedFile::open(c.path);
    const auto read = read_file(c.path, 100);
    ASSERT_FALSE(mapped.has_value()) << c.path;
    ASSERT_FALSE(read.has_value()) << c.path;
    EXPECT_EQ(mapped.error(), read.error());
    EXPECT_EQ(read.error().code, c.code) << c.path;
    EXPECT_THAT(read.error().message, HasSubstr(c.part));
  }
}

TEST_F(FilesTest, ReadingIsBoundedAndWhole) {
  const auto path = write("a", "hello");
  EXPECT_EQ(*read_file(path, 5), "hello");
  EXPECT_EQ(read_file_bytes(path, 5)->size(), 5u);
  const auto refused = read_file(path, 4);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("expected at most 4 bytes, found 5"));
  // Says that it is empty, and is not.
  EXPECT_THAT(read_file("/proc/self/status", 1 << 16).value_or(""), HasSubstr("Pid:"));
  EXPECT_EQ(read_file("/proc/self/status", 16).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FilesTest, ShortAndInterruptedReadsAreGoneOnWith) {
  const auto path = write("a", "hello world");
  int calls = 0;
  set_file_call_hook([&](FileCall call, const std::filesystem::path&, std::uint64_t) {
    return FileFault{++calls % 2 == 0 ? EINTR : 0, call == FileCall::kRead ? 1u : SIZE_MAX};
  });
  EXPECT_EQ(read_file(path, 100).value_or("!"), "hello world");
  EXPECT_GT(calls, 20);
}

TEST_F(FilesTest, AFailedReadTellsWhere) {
  const auto path = write("a", "hello world");
  set_file_call_hook([](FileCall call, const std::filesystem::path&, std::uint64_t offset) {
    if (call != FileCall::kRead) return FileFault{};
    return offset < 4 ? FileFault{0, 4} : FileFault{EIO};
  });
  const auto failed = read_file(path, 100);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_EQ(failed.error().message,
            path.string() + ": cannot read at offset 4: Input/output error");
  set_file_call_hook(
      [](FileCall, const std::filesystem::path&, std::uint64_t) { return FileFault{EMFILE}; });
  EXPECT_EQ(read_file(path, 100).error().code, ErrorCode::kIo);
  EXPECT_EQ(MappedFile::open(path).error().code, ErrorCode::kIo);
}

TEST_F(FilesTest, AFileCutShortWhileItIsReadIsAnError) {
  const auto path = write("a", "hello world");
  set_file_call_hook([&](FileCall call, const std::filesystem::path&, std::uint64_t) {
    if (call == FileCall::kRead) std::filesystem::resize_file(path, 3);
    return FileFault{};
  });
  const auto failed = read_file(path, 100);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_THAT(failed.error().message, HasSubstr("expected 11 bytes, found 3"));
}

TEST_F(FilesTest, ShortAndInterruptedWritesAreGoneOnWith) {
  int calls = 0;
  set_file_call_hook([&](FileCall call, const std::filesystem::path&, std::uint64_t) {
    return FileFault{++calls % 2 == 0 ? EINTR : 0, call == FileCall::kWrite ? 2u : SIZE_MAX};
  });
  ASSERT_TRUE(write_file_atomically(folder_ / "a", bytes_of("hello world")).has_value());
  set_file_call_hook({});
  EXPECT_EQ(*read_file(folder_ / "a", 100), "hello world");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FilesTest, AFullDiskLeavesTheOldFileAndNothingElse) {
  const auto path = write("a", "old");
  for (const FileCall failing : {FileCall::kWrite, FileCall::kSync, FileCall::kRename}) {
    set_file_call_hook([=](FileCall call, const std::filesystem::path&, std::uint64_t offset) {
      if (call != failing || (call == FileCall::kWrite && offset < 4)) return FileFault{0, 4};
      return FileFault{ENOSPC};
    });
    const Status status = write_file_atomically(path, bytes_of("hello world"));
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
    EXPECT_THAT(status.error().message, HasSubstr("No space left on device"));
    const char* const where = failing == FileCall::kWrite ? "cannot write at offset 4" : "";
    EXPECT_THAT(status.error().message, HasSubstr(where));
    set_file_call_hook({});
    EXPECT_EQ(*read_file(path, 100), "old");
    EXPECT_EQ(files(), 1u);
  }
}

TEST_F(FilesTest, WritingReplacesAndLeavesNothingBehind) {
  const auto path = write("a", "old");
  ASSERT_TRUE(write_file_atomically(path, bytes_of("new content")).has_value());
  EXPECT_EQ(*read_file(path, 100), "new content");
  EXPECT_FALSE(write_file_atomically(folder_ / "no/such", {}).has_value());
  EXPECT_EQ(files(), 1u);
}

}  // namespace
}  // namespace ocellus::base
