// When models are in memory: loaded when they are first asked, or told to; unloaded when they were
// idle for long, or told to.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "server/generation.h"
#include "server/http/connection.h"
#include "server/site.h"

namespace ocellus::server {

// Waits on a thread for blocking work until the model is there, ten minutes at most.
boost::asio::awaitable<Status> load_model(Site& site, std::shared_ptr<ServedModel> model);
// Once what it is asked is answered. Any thread.
void unload_model(ServedModel& model);
// Those that were idle for as long as they are kept. Any thread.
void unload_idle_models(const Site& site);

// A question that only loads (Ollama: without a prompt), or with a keep of 0 unloads.
boost::asio::awaitable<Response> load_only(Site& site, const Generation& generation,
                                           AnswerFormat& format);

// POST /models/load and /models/unload: {model}.
boost::asio::awaitable<Response> load_route(Site& site, std::string body, ResponseWriter& writer);
boost::asio::awaitable<Response> unload_route(Site& site, std::string body, ResponseWriter& writer);

}  // namespace ocellus::server
