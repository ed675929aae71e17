#include "fetch/data_url.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

#include "base/result.h"

namespace ocellus::fetch {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::unexpected<Error> bad(std::string_view why) {
  return base::make_error(ErrorCode::kBadImage, "data URL: {}", why);
}

std::unexpected<Error> too_large(std::size_t max_bytes) {
  return base::make_error(ErrorCode::kBadImage,
                          "data URL: expected at most {} bytes of data, found more", max_bytes);
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

int base64(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;  // and the URL-safe alphabet (RFC 4648, 5)
  return c == '/' || c == '_' ? 63 : -1;
}

Result<std::vector<std::byte>> decode_percent(std::string_view text, std::size_t max_bytes) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (bytes.size() == max_bytes) return too_large(max_bytes);
    if (text[i] != '%') {
      bytes.push_back(static_cast<std::byte>(text[i]));
      continue;
    }
    if (text.size() - i < 3) return bad("expected two hexadecimal digits after a percent sign");
    const int high = hex(text[i + 1]), low = hex(text[i + 2]);
    if (high < 0 || low < 0) return bad("expected two hexadecimal digits after a percent sign");
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
    i += 2;
  }
  return bytes;
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f'; }

// Blanks and line breaks count for nothing; padding may be missing.
Result<std::vector<std::byte>> decode_base64(std::string_view text, std::size_t max_bytes) {
  std::string kept;
  if (std::ranges::any_of(text, is_blank)) {
    kept.reserve(text.size());
    std::ranges::copy_if(text, std::back_inserter(kept), [](char c) { return !is_blank(c); });
    text = kept;
  }
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return bad("base64 cannot have this length");
  if (text.size() / 4 * 3 + text.size() % 4 * 3 / 4 > max_bytes) return too_large(max_bytes);
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = base64(c);
    if (value < 0) return bad("expected base64 characters only");
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<std::byte>(bits >> held & 0xff));
    }
  }
  return bytes;
}

}  // namespace

Result<std::vector<std::byte>> parse_data_url(std::string_view url, std::size_t max_bytes) {
  if (url.size() < 5 || !equal_ignoring_case(url.substr(0, 5), "data:"))
    return bad("expected the prefix data:");
  url.remove_prefix(5);
  // An encoding needs at most three characters a byte; the rest is the media type.
  if (url.size() / 3 > max_bytes + 1024) return too_large(max_bytes);
  const auto comma = url.find(',');
  if (comma == std::string_view::npos) return bad("expected a comma before the data");
  const std::string_view media = url.substr(0, comma);
  const std::string_view data = url.substr(comma + 1);
  const auto semicolon = media.rfind(';');
  std::string_view last =
      semicolon == std::string_view::npos ? std::string_view() : media.substr(semicolon + 1);
  while (!last.empty() && is_blank(last.front())) last.remove_prefix(1);
  while (!last.empty() && is_blank(last.back())) last.remove_suffix(1);
  const bool encoded = equal_ignoring_case(last, "base64");
  if (!encoded) return decode_percent(data, max_bytes);
  if (data.find('%') == std::string_view::npos) return decode_base64(data, max_bytes);
  // '+', '/' and '=' may have been escaped on the way.
  OCELLUS_ASSIGN_OR_RETURN(const auto plain, decode_percent(data, data.size()));
  return decode_base64({reinterpret_cast<const char*>(plain.data()), plain.size()}, max_bytes);
}

}  // namespace ocellus::fetch
