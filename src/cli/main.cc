// ocellus: ask questions about pictures from the command line.
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <sstream>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/help_formatter.h"
#include "cli/report.h"
#include "cli/shell_files.h"
#include "ocellus/log.h"
#include "ocellus/ocellus_version.h"

namespace {

void send_log_to_stderr(bool verbose) {
  using ocellus::LogLevel;
  const LogLevel least = verbose ? LogLevel::kDebug : LogLevel::kWarning;
  ocellus::set_log_sink([least](LogLevel level, std::string_view message) {
    if (level < least) return;
    std::fprintf(stderr, "ocellus: %s\n", ocellus::cli::one_line(message).c_str());
  });
}

constexpr const char* kFooter = R"(Exit codes:
  0 ok   1 internal error   2 usage   3 bad input (picture, URL, question)
  4 bad model   5 unavailable (memory, threads, deadline)   130 cancelled

Environment:
  OCELLUS_ISA    scalar, avx2 or avx512: the instruction set to use
  OCELLUS_MODEL  the model folder used when --model is not given)";

// Last: they are about all the others.
void add_shell_files(CLI::App& app, ocellus::cli::Action& action) {
  auto* completion =
      app.add_subcommand("completion", "Print a shell's completion of commands and options");
  auto shell = std::make_shared<std::string>();
  completion->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->type_name("SHELL")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([&app, &action, shell] {
    action = [&app, shell] {
      return ocellus::cli::exit_code(
          ocellus::cli::print(ocellus::cli::completion_script(app, *shell)));
    };
  });
  auto* man = app.add_subcommand("man", "Print the manual page");
  man->callback([&app, &action] {
    action = [&app] {
      return ocellus::cli::exit_code(
          ocellus::cli::print(ocellus::cli::manual_page(app, ocellus::version())));
    };
  });
}

int run(int argc, char** argv) {
  // A reader that goes away is an error of one write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  CLI::App app("Ocellus answers questions about pictures.", "ocellus");
  app.formatter(std::make_shared<ocellus::cli::HelpFormatter>());
  app.set_version_flag("--version", ocellus::version());
  bool verbose = false;
  app.add_flag("--verbose", verbose, "Log what happens on stderr");
  app.require_subcommand(1);
  app.fallthrough();
  ocellus::cli::Action action;
  ocellus::cli::add_ask(app, action);
  ocellus::cli::add_decide(app, action);
  ocellus::cli::add_inspect(app, action);
  ocellus::cli::add_trace(app, action);
  ocellus::cli::add_bench(app, action);
  ocellus::cli::add_pack(app, action);
  ocellus::cli::add_quantize(app, action);
  ocellus::cli::add_serve(app, action);
  add_shell_files(app, action);
  for (CLI::App* command : app.get_subcommands({})) command->group("Commands");
  app.footer(kFooter);  // now, so that not every command has it
  ocellus::cli::let_last_win(app);
  const std::vector<std::string> arguments = ocellus::cli::arguments_of(argc, argv);
  try {
    // The parser takes them from the end.
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    const bool asked_for = error.get_exit_code() == 0;  // --help, --version
    if (asked_for) {
      std::ostringstream text;
      app.exit(error, text, text);
      return ocellus::cli::exit_code(ocellus::cli::print(text.str()));
    }
    std::fprintf(stderr, "ocellus: %s (see ocellus --help)\n",
                 ocellus::cli::parse_error_message(app, arguments, error).c_str());
    return 2;
  }
  send_log_to_stderr(verbose);
  return action();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "ocellus: internal error: %s\n", error.what());
    return 1;
  }
}
