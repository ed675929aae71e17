#include "server/http/framing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ocellus::server {
namespace {

using ::testing::HasSubstr;

constexpr const char* kLine = "POST /x HTTP/1.1\r\nHost: a\r\n";

std::string refusal(const std::string& bytes) {
  const Status status = check_framing(bytes);
  return status ? "" : status.error().message;
}

TEST(Framing, AcceptsWhatIsPlain) {
  EXPECT_EQ(refusal(std::string(kLine) + "\r\n"), "");
  EXPECT_EQ(refusal(std::string(kLine) + "Content-Length: 5\r\n\r\nab\ncd"), "");
  EXPECT_EQ(refusal(std::string(kLine) + "Transfer-Encoding: Chunked\r\n\r\n5\r\n"), "");
  EXPECT_EQ(refusal(std::string(kLine) + "X-Empty:\r\n\r\n"), "");
}

TEST(Framing, RefusesWhatCouldBeReadInTwoWays) {
  const struct {
    std::string fields, says;
  } kCases[] = {
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "more than one"},
      {"Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "more than one"},
      {"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "more than one"},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "more than one"},
      {"Content-Length: +5\r\n\r\n", "no number"},
      {"Content-Length: 0x5\r\n\r\n", "no number"},
      {"Content-Length: 5, 5\r\n\r\n", "no number"},
      {"Content-Length: \r\n\r\n", "no number"},
      {"Content-Length: -1\r\n\r\n", "no number"},
      {"Content-Length: 99999999999999999999\r\n\r\n", "no number"},
      {"Transfer-Encoding: gzip, chunked\r\n\r\n", "expected chunked"},
      {"Transfer-Encoding: xchunked\r\n\r\n", "expected chunked"},
      {"Content-Length : 5\r\n\r\n", "blank in a name"},
      {" folded: x\r\n\r\n", "folded line"},
      {"X: a\r\n\tb\r\n\r\n", "folded line"},
      {"X: a\nY: b\r\n\r\n", "bare LF"},
      {"X: a\rY: b\r\n\r\n", "bare CR"},
      {std::string("X: a\0b\r\n\r\n", 11), "NUL"},
      {"no colon\r\n\r\n", "without a name"},
      {": x\r\n\r\n", "without a name"},
  };
  for (const auto& each : kCases)
    EXPECT_THAT(refusal(kLine + each.fields), HasSubstr(each.says)) << each.fields;
}

TEST(Framing, SaysSoBeforeTheHeaderIsWhole) {
  EXPECT_THAT(refusal("GET / HTTP/1.1\n"), HasSubstr("bare LF"));
  EXPECT_EQ(refusal("GET / HT"), "");
  EXPECT_EQ(refusal("GET / HTTP/1.1\r"), "");
  EXPECT_EQ(refusal(""), "");
  EXPECT_EQ(refusal("GET"), "");
}

}  // namespace
}  // namespace ocellus::server
