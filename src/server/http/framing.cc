#include "server/http/framing.h"

#include <algorithm>
#include <string>

#include "base/result.h"

namespace ocellus::server {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";

std::unexpected<Error> bad(std::string_view why) {
  return base::make_error(ErrorCode::kInvalidArgument, "request header: {}", why);
}

bool equals(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; };
    return lower(x) == lower(y);
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Lengths {
  int content_length = 0, transfer_encoding = 0;
};

Status check_field(std::string_view line, Lengths& lengths) {
  if (line.front() == ' ' || line.front() == '\t') return bad("folded line");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return bad("line without a name");
  const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
  if (name.find_first_of(" \t") != std::string_view::npos) return bad("blank in a name");
  if (equals(name, "content-length")) {
    ++lengths.content_length;
    const bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
    if (value.empty() || value.size() > 15 || !digits) return bad("Content-Length: no number");
  }
  if (equals(name, "transfer-encoding")) {
    ++lengths.transfer_encoding;
    if (!equals(value, "chunked")) return bad("Transfer-Encoding: expected chunked");
  }
  if (lengths.content_length + lengths.transfer_encoding > 1)
    return bad("more than one Content-Length or Transfer-Encoding");
  return {};
}

}  // namespace

Status HeaderScan::advance(std::string_view bytes) {
  for (; at_ < bytes.size() && !complete_; ++at_) {
    const char c = bytes[at_];
    if (c == '\0') return bad("NUL");
    if (c == '\n' && (at_ == 0 || bytes[at_ - 1] != '\r')) return bad("bare LF");
    if (c != '\n' && at_ > 0 && bytes[at_ - 1] == '\r') return bad("bare CR");
    complete_ = c == '\n' && bytes.substr(0, at_ + 1).ends_with(kEnd);
  }
  return {};
}

Status check_framing(std::string_view bytes) {
  if (const std::size_t end = bytes.find(kEnd); end != std::string_view::npos)
    bytes = bytes.substr(0, end + kEnd.size());
  HeaderScan scan;
  OCELLUS_RETURN_IF_ERROR(scan.advance(bytes));
  Lengths lengths;
  int fields = 0;
  std::size_t at = bytes.find("\r\n");
  while (at != std::string_view::npos) {
    at += 2;
    const std::size_t end = bytes.find("\r\n", at);
    if (end == std::string_view::npos || end == at) break;
    if (++fields > kMaxFields) return bad("more than 100 fields");
    OCELLUS_RETURN_IF_ERROR(check_field(bytes.substr(at, end - at), lengths));
    at = end;
  }
  return {};
}

}  // namespace ocellus::server
