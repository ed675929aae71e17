// What is made from the commands' own descriptions: completions for shells, and the manual page.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace ocellus::cli {

// For bash, zsh or fish; empty for another name.
std::string completion_script(const CLI::App& app, std::string_view shell);

// ocellus(1), in man's roff.
std::string manual_page(const CLI::App& app, std::string_view version);

}  // namespace ocellus::cli
