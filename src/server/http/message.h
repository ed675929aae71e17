// A request as the dialects see it, and what they answer with.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ocellus::server {

using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;

// Without query and fragment.
std::string_view path_of(const HttpRequest& request);
// A header's value; empty where it is absent.
std::string_view field_of(const HttpRequest& request, std::string_view name);

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Response {
  unsigned status = 200;
  std::string type = "application/json";
  std::string body = {};
  Headers headers = {};
};

}  // namespace ocellus::server
