// Which request goes where.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>

#include "server/http/connection.h"
#include "server/site.h"

namespace ocellus::server {

// The answer to a request that needs no more than its header: where it comes from, its path, its
// method or its key speak against it. Any loop.
std::optional<Response> refuse_early(Site& site, const HttpRequest& header);

// Answers whatever comes, errors in the dialect of the path. The request id is that of the client,
// or a new one.
boost::asio::awaitable<void> route(Site& site, HttpRequest& request, ResponseWriter& writer);

}  // namespace ocellus::server
