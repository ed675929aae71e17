// From a question to its answer on the wire, whatever the dialect.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "server/generation.h"
#include "server/http/connection.h"
#include "server/metrics.h"
#include "server/models.h"

namespace ocellus::server {

// Admits the question (429 before anything is downloaded when the model's queue is full), then
// streams or sends the answer. Ends the work when the client goes away. Always answers. The time to
// the first byte of a stream is at most half a second: an error that is found until then has a
// status of its own, a later one is an event of the stream. On the connection's loop.
boost::asio::awaitable<void> answer(ServedModels& models, Metrics& metrics, Generation generation,
                                    AnswerFormat& format, ResponseWriter& writer);

}  // namespace ocellus::server
