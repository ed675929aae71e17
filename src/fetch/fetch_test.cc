// Downloads from a server of our own on the loopback address, which the policy must be told to
// allow.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <thread>

#include "base/file_calls.h"
#include "fetch/source.h"
#include "fetch/test_server.h"
#include "runtime/block_on.h"

namespace ocellus::fetch {
namespace {

using namespace std::chrono_literals;
using runtime::CancelSource;
using runtime::Deadline;
namespace ip = boost::asio::ip;
using testing::always;
using testing::send_all;
using testing::Server;
using testing::until_closed;

class FixedResolver final : public Resolver {
 public:
  explicit FixedResolver(std::vector<ip::address> answer) : answer_(std::move(answer)) {}
  boost::asio::awaitable<Result<std::vector<ip::address>>> async_resolve(std::string,
                                                                         Deadline) override {
    co_return answer_;
  }

 private:
  std::vector<ip::address> answer_;
};

class FetchTest : public ::testing::Test {
 protected:
  Result<std::string> load(ImageSource source, FetchOptions options = {},
                           runtime::BlockOptions block = {}) {
    auto fetcher = Fetcher::make(*runtime::shared_runtime(), std::move(options));
    if (!fetcher) return std::unexpected(fetcher.error());
    auto bytes = runtime::block_on(*runtime::shared_runtime(),
                                   fetcher->async_load(std::move(source)), std::move(block));
    if (!bytes) return std::unexpected(bytes.error());
    return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  }
  static FetchOptions allowing(const Server& server) {
    FetchOptions options;
    options.policy = *AddressPolicy::make({server.host()});
    return options;
  }
  void expect_failed(const Server& server, FetchOptions options) {
    const auto result = load(UrlSource{server.url()}, std::move(options));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kFetchFailed);
    EXPECT_EQ(result.error().message, "image URL could not be fetched");
  }
};

TEST_F(FetchTest, LoadsABody) {
  const Server server(always("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
  EXPECT_EQ(load(UrlSource{server.url()}, allowing(server)).value_or("!"), "hello");
  const Server chunked(always(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"));
  EXPECT_EQ(load(UrlSource{chunked.url()}, allowing(chunked)).value_or("!"), "hello");
  const Server until_end(always("HTTP/1.1 200 OK\r\n\r\nhello"));
  EXPECT_EQ(load(UrlSource{until_end.url()}, allowing(until_end)).value_or("!"), "hello");
}

TEST_F(FetchTest, AForbiddenAddressSeesNoConnection) {
  const Server server(always("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  const std::string port = std::to_string(server.port());
  for (const std::string host : {"127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1",
                                 "[::ffff:127.0.0.1]", "0177.0.0.1", "127.0.0.1."}) {
    const auto result = load(UrlSource{"http://" + host + ":" + port + "/"});
    ASSERT_FALSE(result) << host;
    EXPECT_EQ(result.error().code, ErrorCode::kForbidden) << host;
    EXPECT_EQ(result.error().message, "image URL refused");
  }
  FetchOptions mixed;  // one bad answer among good ones
  mixed.resolver = std::make_shared<FixedResolver>(
      std::vector{ip::make_address("8.8.8.8"), ip::make_address("127.0.0.1")});
  EXPECT_EQ(load(UrlSource{"http://mixed.example/"}, mixed).error().code, ErrorCode::kForbidden);
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(FetchTest, RedirectsAreFollowedAndChecked) {
  const Server server([](int fd, const std::string& request) {
    if (request.starts_with("GET /end ")) {
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    } else if (request.starts_with("GET /loop ")) {
      send_all(fd, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    } else {
      send_all(fd, "HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n");
    }
  });
  EXPECT_EQ(load(UrlSource{server.url()}, allowing(server)).value_or("!"), "ok");
  const int before = server.connections();
  EXPECT_EQ(load(UrlSource{server.url("/loop")}, allowing(server)).error().code,
            ErrorCode::kFetchFailed);
  EXPECT_EQ(server.connections() - before, 6);  // the first and five redirects

  const Server secret(always("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"));
  const Server outer(
      always("HTTP/1.1 302 Found\r\nLocation: " + secret.url() + "\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_EQ(load(UrlSource{outer.url()}, allowing(outer)).error().code, ErrorCode::kForbidden);
  EXPECT_EQ(secret.connections(), 0);
}

TEST_F(FetchTest, BadAnswersFailAlike) {
  for (const char* answer :
       {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx", "hello", "",
        "HTTP/0.9 200\r\n\r\n", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"}) {
    const Server server(always(answer));
    SCOPED_TRACE(answer);
    expect_failed(server, allowing(server));
  }
  const Server headers(always("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'a') + "\r\n\r\n"));
  expect_failed(headers, allowing(headers));
}

TEST_F(FetchTest, ATooLargeBodyIsCutWhateverItClaims) {
  for (const char* head :
       {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n"}) {
    const Server server(always(head + std::string(101, 'x')));
    auto options = allowing(server);
    options.limits.max_bytes = 100;
    expect_failed(server, options);
    options.limits.max_bytes = 101;
    EXPECT_EQ(load(UrlSource{server.url()}, options).value_or("").size(), 101u);
  }
}

TEST_F(FetchTest, SilenceAndDripsEndAtTheirLimits) {
  const Server silent([](int fd, const std::string&) { until_closed(fd); });
  auto options = allowing(silent);
  options.limits.first_byte = 50ms;
  expect_failed(silent, options);

  const Server drip([](int fd, const std::string&) {
    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx");
    until_closed(fd);
  });
  options = allowing(drip);
  options.limits.rate_grace = 50ms;
  expect_failed(drip, options);

  const Server slow([](int fd, const std::string&) { until_closed(fd); });
  options = allowing(slow);
  options.limits.total = 50ms;
  expect_failed(slow, options);
}

TEST_F(FetchTest, CancellingEndsADownloadWithinATenthOfASecond) {
  std::latch reached(1);
  const Server server([&](int fd, const std::string&) {
    reached.count_down();
    until_closed(fd);
  });
  auto fetcher = Fetcher::make(*runtime::shared_runtime(), allowing(server));
  ASSERT_TRUE(fetcher);
  CancelSource cancel;
  auto task =
      runtime::spawn(*runtime::shared_runtime(), fetcher->async_load(UrlSource{server.url()}),
                     {.cancel = cancel.token()});
  reached.wait();
  const auto before = Deadline::Clock::now();
  cancel.cancel();
  EXPECT_EQ(task.take().error().code, ErrorCode::kCancelled);
  EXPECT_LT(Deadline::Clock::now() - before, 100ms);
}

// Reads that hang, as of a file on a server that is gone, until it is destroyed.
class HungFiles {
 public:
  HungFiles() {
    base::set_file_call_hook(
        [until = release_.get_future().share()](base::FileCall call,
                                                const std::filesystem::path& path, std::uint64_t) {
          if (call == base::FileCall::kRead && path.filename() == "hung") until.wait();
          return base::FileFault{};
        });
  }
  ~HungFiles() {
    base::set_file_call_hook({});
    release_.set_value();
  }

 private:
  std::promise<void> release_;
};

TEST_F(FetchTest, FilesThatHangAreGivenUpAndHoldUpNoOthers) {
  const auto directory =
      std::filesystem::temp_directory_path() / ("ocellus-hung-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "hung") << "hello";
  std::ofstream(directory / "good") << "hello";
  {
    const HungFiles hung;
    FetchOptions options;
    options.limits.file = 20ms;
    const auto late = load(directory / "hung", options);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(late.error().message, (directory / "hung").string() + ": not read within 20 ms");
    CancelSource stop;  // a worker's
    auto fetcher = Fetcher::make(*runtime::shared_runtime());
    ASSERT_TRUE(fetcher);
    auto task = runtime::spawn(*runtime::shared_runtime(), fetcher->async_load(directory / "hung"),
                               {.stop = stop.token()});
    stop.cancel();
    EXPECT_EQ(task.take().error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(load(directory / "good").value_or("!"), "hello");
    // More than there may ever be threads: a typed error, not a wait.
    Result<std::string> last = std::unexpected(Error{});
    for (int i = 0; i < 20; ++i) last = load(directory / "hung", options);
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(load(directory / "good").error().code, ErrorCode::kUnavailable);
  }
  // The calls have returned, or will at once: files are read again.
  Result<std::string> good = load(directory / "good");
  while (!good && good.error().code == ErrorCode::kUnavailable) good = load(directory / "good");
  EXPECT_EQ(good.value_or("!"), "hello");
  std::filesystem::remove_all(directory);
}

TEST_F(FetchTest, FilesBytesAndDataUrls) {
  const auto directory =
      std::filesystem::temp_directory_path() / ("ocellus-fetch-" + std::to_string(::getpid()));
  std::filesystem::create_directories(directory);
  const auto path = directory / "a";
  std::ofstream(path) << "hello";
  EXPECT_EQ(load(path).value_or("!"), "hello");
  FetchOptions small;
  small.limits.max_bytes = 4;
  EXPECT_EQ(load(path, small).error().code, ErrorCode::kBadImage);
  small.limits.max_bytes = 5;
  EXPECT_EQ(load(path, small).value_or("!"), "hello");
  EXPECT_EQ(load(directory / "none").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(load(directory).error().code, ErrorCode::kBadImage);
  ::mkfifo((directory / "fifo").c_str(), 0600);
  EXPECT_EQ(load(directory / "fifo").error().code, ErrorCode::kBadImage);
  EXPECT_EQ(load(UrlSource{"data:,hi"}).value_or("!"), "hi");
  EXPECT_EQ(load(std::vector<std::byte>(3)).value_or("").size(), 3u);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace ocellus::fetch
