#include "server/dialects/content.h"

#include <fmt/format.h>

#include <algorithm>

#include "fetch/data_url.h"
#include "fetch/limits.h"
#include "formats/chat_messages.h"
#include "image/image.h"

namespace ocellus::server {
namespace {

// Base64 that was meant as a picture would be read as text for minutes.
bool holds_picture_bytes(std::string_view text) {
  constexpr std::size_t kMaxRun = 4096;
  if (text.find("data:image/") != std::string_view::npos &&
      text.find(";base64,") != std::string_view::npos) {
    return true;
  }
  std::size_t run = 0;
  for (const char c : text) {
    const bool base64 = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                        (c >= '0' && c <= '9') || c == '+' || c == '/' || c == '-' || c == '_' ||
                        c == '=';
    run = base64 ? run + 1 : 0;
    if (run > kMaxRun) return true;
  }
  return false;
}

bool is_data_url(std::string_view url) {
  return url.size() > 5 && (url.starts_with("data:") || url.starts_with("DATA:"));
}

Status settle(Picture& picture) {
  const auto* const url = std::get_if<Picture::Url>(&picture.source());
  if (url == nullptr || !is_data_url(url->url)) return {};
  auto bytes = fetch::parse_data_url(url->url, fetch::FetchLimits().max_bytes);
  if (!bytes) return std::unexpected(std::move(bytes).error());
  if (auto info = image::read_image_info(*bytes); !info)
    return std::unexpected(std::move(info).error());
  picture = Picture::from_bytes(*std::move(bytes));
  return {};
}

}  // namespace

std::vector<Message> read_messages(Fields& fields, std::string_view name) {
  const boost::json::value* const value = fields.any(name);
  if (value == nullptr) {
    if (!fields.error()) fields.fail(name, "is missing", "missing_required_parameter");
    return {};
  }
  auto messages = formats::read_chat_messages(*value, name);
  if (messages) return *std::move(messages);
  // "messages[2].content[0].text: expected ...": the path is part of the message already.
  const std::string& text = messages.error().message;
  ApiError error = api_error(messages.error(), text.substr(0, text.find(':')));
  error.code = "invalid_value";
  fields.fail(error);
  return {};
}

std::optional<ApiError> settle_pictures(std::vector<Message>& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    for (std::size_t j = 0; j < messages[i].parts.size(); ++j) {
      const std::string where = fmt::format("messages[{}].content[{}]", i, j);
      Part& part = messages[i].parts[j];
      if (const auto* const text = std::get_if<std::string>(&part)) {
        if (!holds_picture_bytes(*text)) continue;
        return ApiError{.status = 400,
                        .code = "image_in_text",
                        .message = where +
                                   ": expected text, found a picture's bytes: send them as "
                                   "an image part",
                        .param = where};
      }
      if (Status status = settle(std::get<Picture>(part)); !status) {
        ApiError error = api_error(status.error(), where);
        error.code = "invalid_image";
        error.message = short_message(fmt::format("{}: {}", where, error.message));
        return error;
      }
    }
  }
  return std::nullopt;
}

}  // namespace ocellus::server
