// POST /v1/messages/count_tokens and /v1/responses/input_tokens: what a prompt costs, without
// running the model.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/http/message.h"
#include "server/models.h"

namespace ocellus::server {

// The body of a question; {input_tokens}. Wait their turn on a thread for blocking work.
boost::asio::awaitable<Response> count_anthropic_tokens(const ServedModels& models,
                                                        std::string body);
boost::asio::awaitable<Response> count_responses_tokens(const ServedModels& models,
                                                        std::string body);

}  // namespace ocellus::server
