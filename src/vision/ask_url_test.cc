// Questions about pictures that come over the network, through the public API.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <latch>

#include "fetch/test_server.h"
#include "ocellus/ocellus.h"

namespace ocellus {
namespace {

namespace fs = std::filesystem;
using fetch::testing::send_all;
using fetch::testing::Server;
using fetch::testing::until_closed;

const char* const kCount = "How many objects are there?";
const AskOptions kGreedy{.temperature = 0.0f};

fs::path source() { return std::getenv("OCELLUS_SOURCE_DIR"); }
fs::path scene() { return source() / "examples/pictures/scene.png"; }

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string reply(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Picture picture_of(const Server& server) { return Picture::from_url(server.url("/picture")); }

class AskUrlTest : public ::testing::Test {
 protected:
  Model open(std::vector<std::string> allow) {
    ModelOptions options;
    options.path = source() / "models/demo";
    options.fetch.allow_hosts = std::move(allow);
    return *registry_.open(options);
  }
  static std::string text_of(Model& model, Picture picture) {
    auto stream = model.ask(std::move(picture), kCount, kGreedy);
    if (!stream) return "error: " + stream.error().message;
    const auto whole = stream->wait();
    return whole ? whole->text : "error: " + whole.error().message;
  }
  Registry registry_ = *Registry::create();
};

TEST_F(AskUrlTest, AnswersAsForTheFile) {
  const std::string body = read(scene());
  const Server server([&](int fd, const std::string&) { send_all(fd, reply(body)); });
  Model model = open({server.host()});
  EXPECT_EQ(text_of(model, picture_of(server)), text_of(model, Picture::from_path(scene())));
}

TEST_F(AskUrlTest, PrivateAddressesSeeNoConnection) {
  const Server server([](int, const std::string&) {});
  Model model = open({});
  const std::string port = ":" + std::to_string(server.port());
  for (const char* host :
       {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]",
        "[::ffff:127.0.0.1]", "127.0.0.1.", "0", "169.254.169.254", "a@127.0.0.1"}) {
    auto stream =
        model.ask(Picture::from_url("http://" + std::string(host) + port + "/"), kCount, kGreedy);
    ASSERT_TRUE(stream.has_value());
    const auto whole = stream->wait();
    ASSERT_FALSE(whole.has_value()) << host;
    EXPECT_EQ(whole.error().code, ErrorCode::kForbidden) << host;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(AskUrlTest, WhatIsNoPictureIsAnError) {
  const Server server(
      [](int fd, const std::string&) { send_all(fd, reply("<html>no picture</html>")); });
  Model model = open({server.host()});
  auto stream = model.ask(picture_of(server), kCount, kGreedy);
  EXPECT_EQ(stream->wait().error().code, ErrorCode::kBadImage);
  const Server missing([](int fd, const std::string&) {
    send_all(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  });
  Model other = open({missing.host()});
  EXPECT_EQ(other.ask(picture_of(missing), kCount, kGreedy)->wait().error().code,
            ErrorCode::kFetchFailed);
}

// While one download hangs, another question is asked, answered, and only then the download goes
// on.
TEST_F(AskUrlTest, ASlowDownloadDelaysNobody) {
  const std::string body = read(scene());
  std::latch answered(1);
  const Server server([&](int fd, const std::string&) {
    const std::string whole = reply(body);
    send_all(fd, std::string_view(whole).substr(0, whole.size() / 2));
    answered.wait();
    send_all(fd, std::string_view(whole).substr(whole.size() / 2));
  });
  Model model = open({server.host()});
  auto slow = model.ask(picture_of(server), kCount, kGreedy);
  ASSERT_TRUE(slow.has_value());
  EXPECT_EQ(text_of(model, Picture::from_path(scene())), "4");
  answered.count_down();
  EXPECT_EQ(slow->wait()->text, "4");
}

TEST_F(AskUrlTest, CancelAndDeadlineEndADownload) {
  std::atomic<int> closed = 0;
  std::latch begun(1);
  {
    const Server server([&](int fd, const std::string&) {
      send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx");
      if (closed == 0) begun.count_down();
      until_closed(fd);
      ++closed;
    });
    Model model = open({server.host()});
    auto stream = model.ask(picture_of(server), kCount, kGreedy);
    begun.wait();
    stream->cancel();
    EXPECT_EQ(stream->wait().error().code, ErrorCode::kCancelled);
    AskOptions late = kGreedy;
    late.deadline = std::chrono::milliseconds(50);
    EXPECT_EQ(model.ask(picture_of(server), kCount, late)->wait().error().code,
              ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(text_of(model, Picture::from_path(scene())), "4");
  }
  EXPECT_GE(closed, 1);  // on a busy machine the deadline may pass before the connection
}

// Shutting the model down ends what is on its way.
TEST_F(AskUrlTest, ShutdownEndsADownload) {
  std::latch begun(1);
  const Server server([&](int fd, const std::string&) {
    begun.count_down();
    until_closed(fd);
  });
  Model model = open({server.host()});
  auto stream = model.ask(picture_of(server), kCount, kGreedy);
  begun.wait();
  model.shutdown();
  EXPECT_EQ(stream->wait().error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace ocellus
