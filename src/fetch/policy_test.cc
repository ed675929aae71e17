#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fetch/address_policy.h"
#include "fetch/data_url.h"
#include "fetch/url.h"

namespace ocellus::fetch {
namespace {

namespace ip = boost::asio::ip;

TEST(AddressPolicyTest, RefusesEveryAddressThatIsNotPublic) {
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "10.0.0.1",
                           "100.64.0.1",
                           "100.100.100.200",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "169.254.170.2",
                           "169.254.170.23",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.192",
                           "192.0.2.1",
                           "192.31.196.1",
                           "192.52.193.1",
                           "192.88.99.1",
                           "192.168.0.1",
                           "192.175.48.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "168.63.129.16",
                           "::",
                           "::1",
                           "::7f00:1",
                           "::ffff:127.0.0.1",
                           "::ffff:8.8.8.8",
                           "::ffff:0:8.8.8.8",
                           "64:ff9b::808:808",
                           "64:ff9b:1::1",
                           "100::1",
                           "5f00::1",
                           "fc00::1",
                           "fd00:ec2::254",
                           "fd20:ce::254",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "2001::1",
                           "2001:2::1",
                           "2001:10::1",
                           "2001:20::1",
                           "2001:30::1",
                           "2001:1ff::1",
                           "2001:db8::1",
                           "2002:7f00:1::",
                           "2620:4f:8000::1",
                           "3fff::1",
                           "3fff:fff::1"}) {
    EXPECT_FALSE(is_public_address(ip::make_address(text))) << text;
  }
  for (const char* text :
       {"8.8.8.8",         "1.0.0.1",         "11.0.0.0",      "100.63.255.255",  "100.128.0.0",
        "126.255.255.255", "172.15.255.255",  "172.32.0.0",    "192.0.1.0",       "198.17.255.255",
        "198.20.0.0",      "223.255.255.255", "168.63.129.15", "168.63.129.17",   "2606:4700::1111",
        "2001:200::1",     "2001:db9::1",     "2003::1",       "2620:4f:8001::1", "3fff:1000::1"}) {
    EXPECT_TRUE(is_public_address(ip::make_address(text))) << text;
  }
}

TEST(UrlTest, RefusesEverySpellingThatSomebodyMayReadOtherwise) {
  using std::string_literals::operator""s;
  for (const std::string& text : {"http://2130706433/"s,
                                  "http://0177.0.0.1/"s,
                                  "http://0x7f000001/"s,
                                  "http://127.1/"s,
                                  "http://127.0.0x1/"s,
                                  "http://0x7f.1/"s,
                                  "http://127.0.0.1./"s,
                                  "http://example.com./"s,
                                  "http://a@example.com/"s,
                                  "http://a:b@example.com/"s,
                                  "http://@example.com/"s,
                                  "http://ok\\@evil/"s,
                                  "http://%31%32%37.0.0.1/"s,
                                  "http://ex%61mple.com/"s,
                                  "http://１２７.0.0.1/"s,
                                  "http://127。0。0。1/"s,
                                  "http://[fe80::1%25eth0]/"s,
                                  "http://[fe80::1%eth0]/"s,
                                  "http:///"s,
                                  "http://:80/"s,
                                  "http://example.com:0/"s,
                                  "http://example.com:65536/"s,
                                  "http://example.com:/"s,
                                  "http://exa mple.com/"s,
                                  "http://example.com\\@evil.org/"s,
                                  "http:\\\\example.com/"s,
                                  "\\\\example.com/"s,
                                  "http:example.com"s,
                                  "//example.com/"s,
                                  "/x"s,
                                  ""s,
                                  "file:///etc/passwd"s,
                                  "ftp://example.com/"s,
                                  "gopher://example.com/"s,
                                  "dict://x/"s,
                                  "ldap://x/"s,
                                  "tftp://x/"s,
                                  "jar:http://x/"s,
                                  "unix:/x"s,
                                  "blob:http://x/"s,
                                  "http://a..b/"s,
                                  "http://-a.b/"s,
                                  "http://a-.b/"s,
                                  "http://[v1.x]/"s,
                                  "http://999.1.1.1/"s,
                                  "http://example.com\0.evil/"s,
                                  "http://" + std::string(64, 'a') + ".com/"}) {
    const auto url = parse_http_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, ErrorCode::kForbidden);
  }
}

TEST(UrlTest, ReadsPlainSpellings) {
  const auto url = parse_http_url("HTTPS://Example.COM:8443/a/b?c=d#e");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_TRUE(url->https);
  EXPECT_EQ(url->host, "example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?c=d");
  EXPECT_EQ(url->authority(), "example.com:8443");
  EXPECT_EQ(parse_http_url("http://example.com")->target, "/");
  EXPECT_EQ(parse_http_url("http://[2606:4700:0::1111]/")->authority(), "[2606:4700::1111]");
}

// As browsers do: WHATWG URL, path and query percent-encode sets.
TEST(UrlTest, EscapesWhatMayNotStandInPathAndQuery) {
  const auto target = [](const std::string& text) {
    const auto url = parse_http_url(text);
    return url ? url->target : url.error().message;
  };
  EXPECT_EQ(target("http://a.com/a b.png"), "/a%20b.png");
  EXPECT_EQ(target("http://a.com/a%20b.png"), "/a%20b.png");
  EXPECT_EQ(target("  http://a.com/a.png\n"), "/a.png");
  EXPECT_EQ(target("http://a.com/a\r\nX: y\t"), "/aX:%20y");
  EXPECT_EQ(target("http://a.com/\xC3\xA4\xE2\x82\xAC?q=\xC3\xA4#\xC3\xA4"),
            "/%C3%A4%E2%82%AC?q=%C3%A4");
  EXPECT_EQ(target("http://a.com/100%/%zz"), "/100%25/%25zz");
  EXPECT_EQ(target("http://a.com/{a}|\"<b>^`[1]\\"), "/%7Ba%7D%7C%22%3Cb%3E%5E%60%5B1%5D%5C");
  EXPECT_EQ(target("http://a.com?q=a b"), "/?q=a%20b");
  EXPECT_EQ(target("http://a.com/x?u=http://b.com/c d"), "/x?u=http://b.com/c%20d");
}

TEST(UrlTest, RedirectsGoThroughTheSameDoor) {
  const auto base = parse_http_url("https://example.com/a/b?q");
  EXPECT_EQ(resolve_redirect(*base, "c")->target, "/a/c");
  EXPECT_EQ(resolve_redirect(*base, "/x?y")->target, "/x?y");
  EXPECT_EQ(resolve_redirect(*base, "//other.org/z")->host, "other.org");
  EXPECT_FALSE(resolve_redirect(*base, "http://127.1/"));
  EXPECT_EQ(resolve_redirect(*base, "/a b.png")->target, "/a%20b.png");
  EXPECT_EQ(resolve_redirect(*base, "c d?e f")->target, "/a/c%20d?e%20f");
  EXPECT_EQ(resolve_redirect(*base, "https://other.org/\xC3\xA4")->target, "/%C3%A4");
  EXPECT_FALSE(resolve_redirect(*base, "\\\\evil.org/x"));
  EXPECT_FALSE(resolve_redirect(*base, "/\\evil.org/x")->host == "evil.org");
  EXPECT_FALSE(resolve_redirect(*base, "//a@b/"));
  EXPECT_FALSE(resolve_redirect(*base, "file:///etc/passwd"));
}

TEST(AddressPolicyTest, ChecksNamesPortsAndAddresses) {
  const AddressPolicy policy;
  const auto check = [](const AddressPolicy& p, const char* text) {
    return p.check_url(*parse_http_url(text)).has_value();
  };
  EXPECT_FALSE(check(policy, "http://localhost/"));
  EXPECT_FALSE(check(policy, "http://a.localhost/"));
  EXPECT_FALSE(check(policy, "http://printer.local/"));
  EXPECT_FALSE(check(policy, "http://metadata.google.internal/"));
  EXPECT_FALSE(check(policy, "http://127.0.0.1/"));
  EXPECT_FALSE(check(policy, "http://[::ffff:8.8.8.8]/"));
  EXPECT_TRUE(check(policy, "http://example.com/"));
  EXPECT_TRUE(check(policy, "http://notlocal/"));
  EXPECT_FALSE(
      policy.check_address(*parse_http_url("http://a.com:22/"), ip::make_address("8.8.8.8")));

  const auto own = AddressPolicy::make({"localhost:8080", "10.0.0.0/8", "cam", "[fd00::1]:81"});
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_TRUE(check(*own, "http://localhost:8080/"));
  EXPECT_FALSE(check(*own, "http://localhost/"));
  EXPECT_TRUE(check(*own, "http://10.1.2.3:9000/"));
  EXPECT_FALSE(check(*own, "http://11.1.2.3:9000/"));
  EXPECT_TRUE(check(*own, "http://[fd00::1]:81/"));
  EXPECT_FALSE(check(*own, "http://[fd00::1]/"));
  EXPECT_TRUE(
      own->check_address(*parse_http_url("http://cam:99/"), ip::make_address("192.168.1.1")));
  EXPECT_FALSE(own->check_address(*parse_http_url("http://b.c/"), ip::make_address("192.168.1.1")));
  for (const char* bad : {"", "a/b", "10.0.0.0/33", "10.0.0.0/", "::/129", "a b", "x:0", "a@b"}) {
    EXPECT_FALSE(AddressPolicy::make({bad})) << bad;
  }
}

TEST(UrlTest, TheCorpusIsRefusedOrReadExactly) {
  const char* corpora = std::getenv("OCELLUS_CORPORA");
  if (!corpora || !std::filesystem::exists(std::filesystem::path(corpora) / "url")) {
    GTEST_SKIP() << "the URL corpus is not here";
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::path(corpora) / "url")) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto url = parse_http_url(text);
    if (!url) continue;
    const auto again =
        parse_http_url((url->https ? "https://" : "http://") + url->authority() + url->target);
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(again->host, url->host);
  }
}

TEST(DataUrlTest, DecodesAndRefuses) {
  const auto text = [](std::string_view url, std::size_t max = 100) -> std::string {
    const auto bytes = parse_data_url(url, max);
    if (!bytes) return "!";
    return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
  };
  EXPECT_EQ(text("data:image/png;base64,aGVsbG8="), "hello");
  EXPECT_EQ(text("DATA:;BASE64,aGVsbG8"), "hello");
  EXPECT_EQ(text("data:;base64,aGVsbG8%3D"), "hello");
  EXPECT_EQ(text("data:,a%20b"), "a b");
  EXPECT_EQ(text("data:image/jpeg;charset=x; base64 ,aGVs\r\n bG8="), "hello");
  EXPECT_EQ(text("data:;base64,aGVs%0D%0AbG8%3D"), "hello");
  EXPECT_EQ(text("data:;base64,--__"), "\xFB\xEF\xFF");
  EXPECT_EQ(text("data:;base64,++//"), "\xFB\xEF\xFF");
  EXPECT_EQ(text("data:;base64,aGVsbG8=", 5), "hello");
  EXPECT_EQ(text("data:;base64,aGVsbG8=", 4), "!");
  EXPECT_EQ(text("data:,abc", 2), "!");
  for (const char* bad : {"data:", "data:;base64,a", "data:;base64,a*aa", "data:,%4", "data:,%zz",
                          "data:;base64,aG=VsbG8", "http://x"}) {
    EXPECT_EQ(text(bad), "!") << bad;
  }
}

}  // namespace
}  // namespace ocellus::fetch
