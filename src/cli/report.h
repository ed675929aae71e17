// What every subcommand does at its end: errors as one line on stderr, results as text or JSON on
// stdout.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "ocellus/error.h"

namespace ocellus::cli {

// "ocellus: <message>" (control characters escaped, so that it stays one line), or with `as_json`
// {"error": {code, message}} on stdout. Returns the exit code of error_info().
int report(const Error& error, bool as_json = false);

// 0, or what report() returns.
int exit_code(const Status& status, bool as_json = false);

// Writes to stdout and flushes. kInternal with the system's reason: a full disk, a reader that is
// gone.
[[nodiscard]] Status print(std::string_view text);

// The same for what a model says: on a terminal, control characters but line breaks and tabs are
// spelled \xNN, because a picture's text must not steer it.
[[nodiscard]] Status print_answer(std::string_view text);

// The text without line breaks and other control characters (they are spelled \xNN) and in UTF-8:
// what comes from a file must not steer a terminal.
std::string one_line(std::string_view text);

// The same, but line breaks and tabs stay.
std::string lines(std::string_view text);

// As one_line(), and not longer than a line should be: the middle of what is goes. For what a
// person typed.
std::string shortened(std::string_view text, std::size_t max_bytes = 80);

// Indented JSON with a newline. Errors as of print().
[[nodiscard]] Status print_json(const boost::json::value& value);

// "1.2 GiB"
std::string human_bytes(double bytes);

}  // namespace ocellus::cli
