// What the command line means beyond the parser: help on a command, names that are nearly right.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ocellus::cli {

// The arguments, the program's name left out, with `help COMMAND` as `COMMAND --help`.
std::vector<std::string> arguments_of(int argc, char** argv);

// Of an option that is given more than once the last counts, but of those that collect values.
void let_last_win(CLI::App& app);

// What was wrong with `arguments`, for people: the parser's own words, with the nearest name of a
// command or option where one is not known.
std::string parse_error_message(const CLI::App& app, const std::vector<std::string>& arguments,
                                const CLI::ParseError& error);

// The name among `names` that `typed` was probably meant to be; empty where none is near.
std::string nearest(std::string_view typed, const std::vector<std::string>& names);

}  // namespace ocellus::cli
