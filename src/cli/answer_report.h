// An answer as JSON, and what is said beside it.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>

#include "ocellus/answer.h"

namespace ocellus::cli {

// {answer, thoughts, finish_reason, seed, ids, logprobs (where they were asked for), tokens, seconds}. Tokens
// that are no whole characters have U+FFFD in their text, and their bytes beside it.
boost::json::value to_json(const Answer& answer, std::uint64_t seed, bool logprobs);

// Says on stderr that the pictures were made smaller than the model would have them, if they were.
void note_image_bound(const AnswerStats& stats);

}  // namespace ocellus::cli
