// Which request goes where.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/http/connection.h"
#include "server/site.h"

namespace ocellus::server {

// Answers whatever comes, errors in the dialect of the path. The request id is that of the client,
// or a new one.
boost::asio::awaitable<void> route(Site& site, HttpRequest& request, ResponseWriter& writer);

}  // namespace ocellus::server
