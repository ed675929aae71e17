#include "server/page.h"

#include <algorithm>

#include "server/page_files.h"

namespace ocellus::server {
namespace {

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

std::string_view type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".json")) return "application/json";
  return "image/svg+xml";
}

}  // namespace

std::optional<Response> page_file(std::string_view path) {
  constexpr std::string_view kFolder = "/page/";
  std::string_view name;
  if (path == "/") name = "index.html";
  if (path == "/favicon.ico") name = "icon.svg";
  if (path == "/openapi.json") name = "openapi.json";
  if (path.starts_with(kFolder)) name = path.substr(kFolder.size());
  const auto* const found = std::ranges::find(kPageFiles, name, &PageFile::name);
  if (name.empty() || found == std::end(kPageFiles)) return std::nullopt;
  return Response{.type = std::string(type_of(name)),
                  .body = std::string(found->content),
                  .headers = {{"Content-Security-Policy", std::string(kPolicy)},
                              {"Referrer-Policy", "no-referrer"},
                              {"Cross-Origin-Opener-Policy", "same-origin"},
                              {"Cache-Control", "no-cache"}}};
}

}  // namespace ocellus::server
