#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/mapped_file.h"
#include "fetch/address_policy.h"
#include "fetch/picture_source.h"
#include "fetch/url.h"
#include "runtime/block_on.h"

namespace ocellus::fetch {
namespace {

namespace ip = boost::asio::ip;
using ::testing::HasSubstr;
using tcp = ip::tcp;

// Every range of the registries at both ends, and the addresses just outside.
TEST(AddressPolicy, OnlyPublicAddressesArePublic) {
  for (const char* address : {"0.0.0.0",
                              "0.255.255.255",
                              "10.0.0.1",
                              "100.64.0.0",
                              "100.100.100.200",
                              "127.0.0.1",
                              "169.254.169.254",
                              "169.254.170.2",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.192",
                              "192.0.2.1",
                              "192.31.196.1",
                              "192.52.193.1",
                              "192.88.99.1",
                              "192.168.1.1",
                              "192.175.48.1",
                              "198.18.0.1",
                              "198.19.255.255",
                              "198.51.100.7",
                              "203.0.113.9",
                              "224.0.0.1",
                              "239.255.255.255",
                              "240.0.0.1",
                              "255.255.255.255",
                              "168.63.129.16",
                              "::",
                              "::1",
                              "::127.0.0.1",
                              "::ffff:127.0.0.1",
                              "::ffff:8.8.8.8",
                              "64:ff9b::1",
                              "64:ff9b:1::1",
                              "100::1",
                              "2001::1",
                              "2001:2::1",
                              "2001:10::1",
                              "2001:20::1",
                              "2001:30::1",
                              "2001:db8::1",
                              "2002:7f00:1::",
                              "2620:4f:8000::1",
                              "3fff::1",
                              "5f00::1",
                              "fc00::1",
                              "fd00:ec2::254",
                              "fd20:ce::254",
                              "fe80::1",
                              "fec0::1",
                              "ff02::1"}) {
    EXPECT_FALSE(is_public(ip::make_address(address))) << address;
  }
  for (const char* address :
       {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
        "172.15.255.255", "172.32.0.0", "192.0.1.1", "223.255.255.255", "168.63.129.17",
        "2001:200::1", "2606:4700::1111", "2a00::1"}) {
    EXPECT_TRUE(is_public(ip::make_address(address))) << address;
  }
}

TEST(AddressPolicy, ExceptionsAreAsNarrowAsTheyAreWritten) {
  const auto policy =
      AddressPolicy::parse({"127.0.0.1:8080", "10.1.0.0/16", "Pictures.lan:81", "[fd00::1]:90"});
  ASSERT_TRUE(policy.has_value()) << policy.error().message;
  const auto address = [](const char* text) { return ip::make_address(text); };
  EXPECT_TRUE(policy->allows("127.0.0.1", address("127.0.0.1"), 8080));
  EXPECT_FALSE(policy->allows("127.0.0.1", address("127.0.0.1"), 8081));
  EXPECT_TRUE(policy->allows("x", address("10.1.2.3"), 5000));
  EXPECT_FALSE(policy->allows("x", address("10.2.2.3"), 80));
  EXPECT_TRUE(policy->allows("pictures.lan", address("192.168.0.9"), 81));
  EXPECT_FALSE(policy->allows("pictures.lan", address("192.168.0.9"), 80));
  EXPECT_TRUE(policy->allows("fd00::1", address("fd00::1"), 90));
  EXPECT_FALSE(policy->allows("public.example", address("8.8.8.8"), 22));
  for (const char* bad : {"", "host:0", "host:99999", "10.0.0.0/33", "x/8", ":80"}) {
    EXPECT_FALSE(AddressPolicy::parse({bad}).has_value()) << bad;
  }
}

TEST(Url, OddSpellingsAreRefused) {
  for (const char* url : {"file:///etc/passwd",
                          "ftp://example.org/a",
                          "gopher://example.org",
                          "http:example.org",
                          "//example.org/a",
                          "http://",
                          "http:///a",
                          "http://user@example.org/",
                          "http://a:b@example.org/",
                          "http://2130706433/",
                          "http://0177.0.0.1/",
                          "http://0x7f000001/",
                          "http://127.1/",
                          "http://0x7f.0.0.1/",
                          "http://127.0.0.1./",
                          "http://example.org./",
                          "http://ok\\@evil/",
                          "http://exa%6dple.org/",
                          "http://[fe80::1%25eth0]/",
                          "http://example.org:0/",
                          "http://example.org:/",
                          "http://exam\tple.org/",
                          "http://example.org/a b",
                          "http://example.org/\r\nX: y",
                          "http://\xEF\xBC\x91.1.1.1/",
                          "http://..example.org/",
                          "http://example..org/"}) {
    const auto parsed = parse_http_url(url);
    EXPECT_FALSE(parsed.has_value()) << url;
    if (!parsed) EXPECT_EQ(parsed.error().code, ErrorCode::kForbidden);
  }
  const auto url = parse_http_url("HTTPS://Example.ORG:8443/a/b.png?x=1");
  ASSERT_TRUE(url.has_value());
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b.png?x=1");
  EXPECT_EQ(parse_http_url("http://[2606:4700::1111]")->host, "2606:4700::1111");
}

TEST(Url, RedirectsAreResolvedAndChecked) {
  const HttpUrl base = *parse_http_url("https://example.org/a/b");
  EXPECT_EQ(resolve_redirect(base, "/c")->target, "/c");
  EXPECT_EQ(resolve_redirect(base, "c?d")->target, "/a/c?d");
  EXPECT_EQ(resolve_redirect(base, "http://other.org/x")->host, "other.org");
  EXPECT_FALSE(resolve_redirect(base, "file:///etc/passwd").has_value());
  EXPECT_FALSE(resolve_redirect(base, "http://127.1/").has_value());
}

TEST(Url, Corpus) {
  const char* corpora = std::getenv("OCELLUS_CORPORA");
  const std::filesystem::path folder = std::filesystem::path(corpora ? corpora : "") / "url";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the URL corpus is not here";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto text = base::read_file(entry.path(), 1 << 20);
    const auto url = parse_http_url(*text);
    if (url) EXPECT_FALSE(url->host.empty());
  }
}

TEST(DataUrl, Decodes) {
  const auto text = [](const Result<std::vector<std::byte>>& bytes) {
    return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size())
                 : "error: " + bytes.error().message;
  };
  EXPECT_EQ(text(decode_data_url("data:image/png;base64,aGVsbG8=", 100)), "hello");
  EXPECT_EQ(text(decode_data_url("data:,a%20b", 100)), "a b");
  EXPECT_FALSE(decode_data_url("data:;base64,a", 100).has_value());
  EXPECT_FALSE(decode_data_url("data:;base64,a*bc", 100).has_value());
  EXPECT_FALSE(decode_data_url("data:,%4", 100).has_value());
  EXPECT_FALSE(decode_data_url("data:image/png", 100).has_value());
  EXPECT_TRUE(decode_data_url("data:,abc", 3).has_value());
  EXPECT_FALSE(decode_data_url("data:,abcd", 3).has_value());
}

// A server on loopback that gives each connection the next answer, byte for byte.
class Server {
 public:
  explicit Server(std::vector<std::string> answers)
      : acceptor_(context_, tcp::endpoint(ip::address_v4::loopback(), 0)) {
    port_ = acceptor_.local_endpoint().port();
    thread_ = std::thread([this, answers = std::move(answers)] {
      for (const std::string& answer : answers) {
        boost::system::error_code ec;
        tcp::socket socket(context_);
        acceptor_.accept(socket, ec);
        if (ec || stopping_) return;
        ++connections_;
        std::string request(4096, '\0');
        socket.read_some(boost::asio::buffer(request), ec);
        boost::asio::write(socket, boost::asio::buffer(answer), ec);
        socket.shutdown(tcp::socket::shutdown_both, ec);
      }
    });
  }
  ~Server() {
    stopping_ = true;
    boost::system::error_code ec;
    tcp::socket socket(
        context_);  // wakes the thread where it waits for a connection that never came
    socket.connect({ip::address_v4::loopback(), port_}, ec);
    thread_.join();
  }
  std::string url(const std::string& target) const {
    return "http://127.0.0.1:" + std::to_string(port_) + target;
  }
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

 private:
  boost::asio::io_context context_;
  tcp::acceptor acceptor_;
  unsigned short port_ = 0;
  std::atomic<int> connections_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

Result<std::vector<std::byte>> load(Source source, Options options = {}) {
  runtime::Runtime* runtime = runtime::shared_runtime();
  return runtime::block_on(*runtime, async_load(*runtime, std::move(source), std::move(options)));
}

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(Fetch, DownloadsFromAnAllowedHost) {
  Server server({ok("picture")});
  const auto bytes = load(Url{server.url("/a.png")}, {.allow_hosts = {server.host()}});
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  EXPECT_EQ(bytes->size(), 7u);
}

TEST(Fetch, PrivateAddressesAreNeverConnectedTo) {
  Server server({ok("secret")});
  for (const std::string& url :
       {server.url("/"), std::string("http://localhost/"), std::string("http://[::1]/"),
        std::string("http://[::ffff:127.0.0.1]/")}) {
    const auto bytes = load(Url{url});
    ASSERT_FALSE(bytes.has_value()) << url;
    EXPECT_EQ(bytes.error().message, "image URL refused");
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(Fetch, RedirectsAreFollowedAndChecked) {
  Server target({ok("there")});
  Server first(
      {"HTTP/1.1 302 Found\r\nLocation: " + target.url("/x") + "\r\nContent-Length: 0\r\n\r\n"});
  EXPECT_TRUE(
      load(Url{first.url("/")}, {.allow_hosts = {first.host(), target.host()}}).has_value());
  Server forbidden({ok("secret")});
  Server second(
      {"HTTP/1.1 302 Found\r\nLocation: " + forbidden.url("/x") + "\r\nContent-Length: 0\r\n\r\n"});
  const auto bytes = load(Url{second.url("/")}, {.allow_hosts = {second.host()}});
  ASSERT_FALSE(bytes.has_value());
  EXPECT_EQ(bytes.error().code, ErrorCode::kForbidden);
  EXPECT_EQ(forbidden.connections(), 0);
}

TEST(Fetch, BadAnswersAreOneError) {
  const std::string loop = "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n";
  const std::vector<std::vector<std::string>> servers = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
      {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x')},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'x') +
       "\r\n0\r\n\r\n"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'y') + "\r\n\r\n"},
      {"not http at all\r\n\r\n"},
      {""},
      {loop, loop, loop, loop, loop, loop, loop},
  };
  for (const auto& answers : servers) {
    Server server(answers);
    Options options{.allow_hosts = {server.host()}, .max_bytes = 1000};
    const auto bytes = load(Url{server.url("/")}, options);
    ASSERT_FALSE(bytes.has_value()) << answers[0].substr(0, 60);
    EXPECT_EQ(bytes.error().message, "image URL could not be fetched") << answers[0].substr(0, 60);
  }
}

TEST(Fetch, FilesAndBytesHaveTheSameLimit) {
  EXPECT_EQ(load(Bytes{std::vector<std::byte>(11)}, {.max_bytes = 10}).error().code,
            ErrorCode::kBadImage);
  EXPECT_TRUE(load(Bytes{std::vector<std::byte>(10)}, {.max_bytes = 10}).has_value());
  EXPECT_EQ(load(Path{"/no/such/file"}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(load(Path{"/tmp"}).error().code, ErrorCode::kBadImage);
}

}  // namespace
}  // namespace ocellus::fetch
