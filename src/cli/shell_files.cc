#include "cli/shell_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "cli/help_formatter.h"

namespace ocellus::cli {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  std::vector<const CLI::App*> commands;
  for (const CLI::App* each : app.get_subcommands({}))
    if (!each->get_name().empty()) commands.push_back(each);
  return commands;
}

// Of a command and of the program.
std::vector<const CLI::Option*> options_of(const CLI::App& app, const CLI::App& command) {
  std::vector<const CLI::Option*> options;
  for (const CLI::App* each : {&command, &app})
    for (const CLI::Option* option : each->get_options())
      if (!option->get_positional() && std::ranges::none_of(options, [&](const CLI::Option* o) {
            return o->get_lnames() == option->get_lnames();
          })) {
        options.push_back(option);
      }
  return options;
}

std::vector<std::string> spellings(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// What a value may be, where the description of its type says so: "{a,b}".
bool takes_file(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  for (const char* word : {"FILE", "DIR", "IMAGE", "PATH", "MODEL"})
    if (type.find(word) != std::string::npos) return true;
  return false;
}

// Inside single quotes of a shell.
std::string quoted(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c == '\n' ? ' ' : c;
    }
  }
  return out;
}

std::string bash_script(const CLI::App& app) {
  std::vector<std::string> names;
  std::string cases, values;
  for (const CLI::App* command : commands_of(app)) {
    names.push_back(command->get_name());
    std::vector<std::string> all, files, others;
    for (const CLI::Option* option : options_of(app, *command)) {
      const auto spelled = spellings(*option);
      all.insert(all.end(), spelled.begin(), spelled.end());
      auto& valued = takes_file(*option) ? files : others;
      if (takes_value(*option)) valued.insert(valued.end(), spelled.begin(), spelled.end());
    }
    cases += fmt::format("    {}) words='{}' ;;\n", command->get_name(), fmt::join(all, " "));
    if (!others.empty()) {
      values += fmt::format("    {}) case $previous in {}) return ;; esac ;;\n",
                            command->get_name(), fmt::join(others, "|"));
    }
  }
  return fmt::format(
      R"(# Completion of ocellus for bash: made by `ocellus completion bash`.
_ocellus() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command= words= i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${{COMP_WORDS[i]}} in -*) ;; *) command=${{COMP_WORDS[i]}}; break ;; esac
  done
  if [[ -z $command || $command == help ]]; then
    COMPREPLY=($(compgen -W '{} help --help --version' -- "$word"))
    return
  fi
  # A value that is no file is not completed.
  case $command in
{}  esac
  case $command in
{}  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -F _ocellus ocellus
)",
      fmt::join(names, " "), values, cases);
}

std::string zsh_script(const CLI::App& app) {
  std::string commands, cases;
  for (const CLI::App* command : commands_of(app)) {
    commands +=
        fmt::format("    '{}:{}'\n", command->get_name(), quoted(command->get_description()));
    cases += fmt::format("    {})\n      _arguments -s \\\n", command->get_name());
    for (const CLI::Option* option : options_of(app, *command)) {
      std::string description = quoted(option->get_description());
      for (const char bracket : {'[', ']', ':'})
        for (std::size_t at = 0; (at = description.find(bracket, at)) != std::string::npos; at += 2)
          description.insert(at, "\\");
      for (const std::string& name : spellings(*option)) {
        const char* const value = !takes_value(*option) ? ""
                                  : takes_file(*option) ? ":file:_files"
                                                        : ":value:";
        cases += fmt::format("        '*{}[{}]{}' \\\n", name, description, value);
      }
    }
    cases += "        '*:file:_files' ;;\n";
  }
  return fmt::format(R"(#compdef ocellus
# Completion of ocellus for zsh: made by `ocellus completion zsh`.
_ocellus() {{
  local -a commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{}  esac
}}
_ocellus "$@"
)",
                     commands, cases);
}

std::string fish_script(const CLI::App& app) {
  std::string out = "# Completion of ocellus for fish: made by `ocellus completion fish`.\n";
  std::vector<std::string> names;
  for (const CLI::App* command : commands_of(app)) names.push_back(command->get_name());
  for (const CLI::App* command : commands_of(app)) {
    out += fmt::format(
        "complete -c ocellus -f -n 'not __fish_seen_subcommand_from {}' -a {} -d '{}'\n",
        fmt::join(names, " "), command->get_name(), quoted(command->get_description()));
    for (const CLI::Option* option : options_of(app, *command)) {
      out += fmt::format("complete -c ocellus -n '__fish_seen_subcommand_from {}'",
                         command->get_name());
      for (const std::string& name : option->get_snames()) out += " -s " + name;
      for (const std::string& name : option->get_lnames()) out += " -l " + name;
      if (takes_value(*option)) out += takes_file(*option) ? " -r -F" : " -x";
      out += fmt::format(" -d '{}'\n", quoted(option->get_description()));
    }
  }
  return out;
}

// A line that begins with a dot or quote is a request to roff, a backslash an escape.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string option_entry(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : spellings(option)) names.push_back("\\fB" + roff(name) + "\\fR");
  std::string out = fmt::format(".TP\n{}", fmt::join(names, ", "));
  const std::string full = option.get_type_name();
  if (takes_value(option) && !full.empty()) out += " \\fI" + roff(type_of(full)) + "\\fR";
  return out + "\n" + roff(option.get_description()) + "\n";
}

}  // namespace

std::string completion_script(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash_script(app);
  if (shell == "zsh") return zsh_script(app);
  return shell == "fish" ? fish_script(app) : "";
}

std::string manual_page(const CLI::App& app, std::string_view version) {
  std::string out = fmt::format(
      ".TH OCELLUS 1 \"\" \"ocellus {}\" \"User Commands\"\n.SH NAME\nocellus \\- {}\n"
      ".SH SYNOPSIS\n.B ocellus\n.I COMMAND\n[\\fIOPTION\\fR]...\n.SH COMMANDS\n",
      version, roff("answers questions about pictures"));
  for (const CLI::App* command : commands_of(app)) {
    out += fmt::format(".SS \"ocellus {}\"\n{}\n", command->get_name(),
                       roff(command->get_description()));
    for (const CLI::Option* option : command->get_options()) {
      if (option->get_positional()) {
        out += fmt::format(".TP\n\\fI{}\\fR\n{}\n", roff(option->get_name(true)),
                           roff(option->get_description()));
      }
    }
    for (const CLI::Option* option : command->get_options())
      if (!option->get_positional()) out += option_entry(*option);
  }
  out += ".SH EXIT STATUS AND ENVIRONMENT\n.nf\n";
  const std::string footer = app.get_footer();
  for (std::size_t at = 0; at <= footer.size();) {
    const std::size_t end = std::min(footer.find('\n', at), footer.size());
    out += roff(std::string_view(footer).substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return out + ".fi\n";
}

}  // namespace ocellus::cli
