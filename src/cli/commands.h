// The subcommands of `ocellus`. Each adds itself to the parser and, when chosen, runs to an exit
// code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace ocellus::cli {

// Set by the chosen subcommand's parse; run after the whole command line has been understood.
using Action = std::function<int()>;

void add_ask(CLI::App& app, Action& action);
void add_decide(CLI::App& app, Action& action);
void add_inspect(CLI::App& app, Action& action);
void add_trace(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_pack(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_serve(CLI::App& app, Action& action);

}  // namespace ocellus::cli
