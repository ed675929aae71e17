// Which request goes where.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "server/access.h"
#include "server/http/connection.h"
#include "server/metrics.h"
#include "server/models.h"

namespace ocellus::server {

// What the routes work with; outlives them. Everything in it may be used from any loop.
struct Site {
  ServedModels models;
  Metrics metrics;
  Access access;
  std::function<bool()> draining;
};

// Answers whatever comes, errors in the dialect of the path. The request id is that of the client,
// or a new one.
boost::asio::awaitable<void> route(Site& site, HttpRequest& request, ResponseWriter& writer);

}  // namespace ocellus::server
