// An answer as JSON.
#pragma once

#include <boost/json/value.hpp>

#include "ocellus/answer.h"

namespace ocellus::cli {

// {answer, finish_reason, ids, logprobs (where they were asked for), tokens, seconds}. Tokens that
// are no whole characters have U+FFFD in their text, and their bytes beside it.
boost::json::value to_json(const Answer& answer, bool logprobs);

}  // namespace ocellus::cli
