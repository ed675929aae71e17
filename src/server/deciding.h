// POST /v1/decisions and /v1/systemone: questions with given answers, as probabilities.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/http/connection.h"
#include "server/site.h"

namespace ocellus::server {

// All questions share what was computed of the input. Ends when the client goes away. On the
// connection's loop.
boost::asio::awaitable<Response> answer_decisions(Site& site, std::string body,
                                                  ResponseWriter& writer);
boost::asio::awaitable<Response> answer_systemone(Site& site, std::string body,
                                                  ResponseWriter& writer);

}  // namespace ocellus::server
