// POST /v1/images/inspect: what a model will see of a picture, and what that costs, before it is
// asked.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/http/connection.h"
#include "server/site.h"

namespace ocellus::server {

// {model?, image_url: a data: URL or {url}}: the upright size, the size that the tower gets,
// tokens, where a pixel of the original comes to lie (`transform`), and each tower input as a
// picture. The decoding is done on a thread for blocking work. Errors in OpenAI's shape.
boost::asio::awaitable<Response> inspect_image(Site& site, std::string body,
                                               ResponseWriter& writer);

}  // namespace ocellus::server
