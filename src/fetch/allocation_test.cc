// Memory that runs out anywhere in the process while a picture is loaded: a typed error, no hang,
// and the next load works.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "base/test_allocations.h"
#include "fetch/source.h"
#include "runtime/block_on.h"

namespace ocellus::fetch {
namespace {

using base::testing::AllocationScope;
using base::testing::fail_each_allocation;
using Bytes = std::vector<std::byte>;

void expect_error_or_picture(const ImageSource& source, std::size_t size) {
  runtime::Runtime& runtime = *runtime::shared_runtime();
  auto fetcher = Fetcher::make(runtime);
  ASSERT_TRUE(fetcher);
  const auto load = [&]() -> Result<Bytes> {
    try {
      return runtime::block_on(runtime, fetcher->async_load(source));
    } catch (const std::bad_alloc&) {  // of the caller's own: the copy of the source, the coroutine
      return std::unexpected(Error{ErrorCode::kOutOfMemory, {}});
    }
  };
  ASSERT_EQ(load().value_or(Bytes()).size(), size);  // starts the threads that it needs
  std::optional<Result<Bytes>> found;
  const long allocations = fail_each_allocation(
      {.scope = AllocationScope::kProcess}, 10'000, [&] { found.emplace(load()); },
      [&](bool) {
        if (*found) {
          EXPECT_EQ((*found)->size(), size);
        } else {
          EXPECT_EQ(found->error().code, ErrorCode::kOutOfMemory) << found->error().message;
        }
        EXPECT_EQ(load().value_or(Bytes()).size(), size);
      });
  EXPECT_GT(allocations, 0);
}

TEST(FetchAllocationTest, OfADataUrl) {
  expect_error_or_picture(UrlSource{"data:;base64," + std::string(400, 'A')}, 300);
}

TEST(FetchAllocationTest, OfAFile) {
  const auto path =
      std::filesystem::temp_directory_path() / ("ocellus-allocation-" + std::to_string(::getpid()));
  std::ofstream(path) << std::string(3000, 'x');
  expect_error_or_picture(path, 3000);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace ocellus::fetch
