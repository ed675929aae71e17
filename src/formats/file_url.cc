#include "formats/file_url.h"

#include "base/result.h"

namespace ocellus::formats {
namespace {

constexpr std::string_view kScheme = "file://", kHost = "localhost";

bool has_prefix(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    const char c = text[i];
    if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != prefix[i]) return false;
  }
  return true;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool is_file_url(std::string_view text) noexcept { return has_prefix(text, kScheme); }

Result<std::string> parse_file_url(std::string_view url, std::string_view what) {
  std::string_view rest = url.substr(is_file_url(url) ? kScheme.size() : 0);
  if (has_prefix(rest, kHost)) rest.remove_prefix(kHost.size());
  if (!is_file_url(url) || !rest.starts_with('/')) {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: expected file:///PATH, found {}",
                            what, url.substr(0, 60));
  }
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      path += rest[i];
      continue;
    }
    const int high = i + 2 < rest.size() ? hex_digit(rest[i + 1]) : -1;
    const int low = i + 2 < rest.size() ? hex_digit(rest[i + 2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0)) {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "{}: expected the two hexadecimal digits of a byte after %, found {}",
                              what, rest.substr(i, 3));
    }
    path += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return path;
}

}  // namespace ocellus::formats
