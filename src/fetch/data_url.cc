#include <array>
#include <optional>

#include "base/result.h"
#include "fetch/picture_source.h"

namespace ocellus::fetch {
namespace {

using base::make_error;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
      return std::nullopt;
    result += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return result;
}

std::optional<std::string> base64_decode(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string result;
  result.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    if ((count += 6) >= 8) result += static_cast<char>(bits >> (count -= 8) & 0xFF);
  }
  return result;
}

}  // namespace

Result<std::vector<std::byte>> decode_data_url(std::string_view url, std::size_t max_bytes) {
  const std::size_t comma = url.find(',');
  if (comma == std::string_view::npos) {
    return make_error(ErrorCode::kInvalidArgument, "data: URL: expected a comma before the data");
  }
  // Encoded data is at most three times as long as what it stands for.
  if (url.size() - comma > 3 * max_bytes + 4) {
    return make_error(ErrorCode::kBadImage, "data: URL: larger than {} bytes", max_bytes);
  }
  const bool base64 = url.substr(0, comma).ends_with(";base64");
  auto data = percent_decode(url.substr(comma + 1));
  if (data && base64) data = base64_decode(*data);
  if (!data)
    return make_error(ErrorCode::kInvalidArgument, "data: URL: not valid {}",
                      base64 ? "base64" : "percent-encoding");
  if (data->size() > max_bytes) {
    return make_error(ErrorCode::kBadImage, "data: URL: {} bytes, expected at most {}",
                      data->size(), max_bytes);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(data->data());
  return std::vector<std::byte>(bytes, bytes + data->size());
}

}  // namespace ocellus::fetch
