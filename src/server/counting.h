// POST /v1/messages/count_tokens: what a prompt costs, without running the model.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/http/message.h"
#include "server/models.h"

namespace ocellus::server {

// The body of Anthropic's messages; {input_tokens}. Waits its turn on a thread for blocking work.
boost::asio::awaitable<Response> count_anthropic_tokens(const ServedModels& models,
                                                        std::string body);

}  // namespace ocellus::server
