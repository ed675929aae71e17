// POST /v1/messages/count_tokens and /v1/responses/input_tokens: what a prompt costs, without
// running the model.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/http/connection.h"
#include "server/site.h"

namespace ocellus::server {

// The body of a question; {input_tokens}. Wait their turn on a thread for blocking work.
boost::asio::awaitable<Response> count_anthropic_tokens(Site& site, std::string body,
                                                        ResponseWriter& writer);
boost::asio::awaitable<Response> count_responses_tokens(Site& site, std::string body,
                                                        ResponseWriter& writer);

}  // namespace ocellus::server
