// JSON as Python writes and reads it: what the files of checkpoints are.
#pragma once

#include <string_view>

#include "json/json.h"

namespace ocellus::json {

// As parse(), and besides what Python's json module takes: NaN, Infinity and -Infinity, which
// become infinite numbers (no number of ours may be one, so that a key that counts is refused by
// name), and duplicate keys, of which the last counts. A byte order mark is passed over.
Result<bj::value> parse_python(std::string_view text, std::string_view what);

}  // namespace ocellus::json
