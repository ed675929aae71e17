#include "cli/command_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/report.h"

namespace ocellus::cli {
namespace {

// Letters to insert, drop, replace or swap with the next (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      const std::size_t replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

const CLI::App* chosen_command(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? nullptr : commands.front();
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::string suggestion(std::string_view typed, const std::vector<std::string>& names) {
  const std::string near = nearest(typed, names);
  return near.empty() ? "" : fmt::format(": did you mean {}?", near);
}

}  // namespace

std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (!arguments.empty() && arguments.front() == "help") {
    arguments.erase(arguments.begin());
    arguments.resize(std::min<std::size_t>(arguments.size(), 1));
    arguments.emplace_back("--help");
  }
  return arguments;
}

void let_last_win(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_expected_max() == 1 &&
        option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw) {
      option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
  for (CLI::App* command : app.get_subcommands({})) let_last_win(*command);
}

std::string nearest(std::string_view typed, const std::vector<std::string>& names) {
  constexpr std::size_t kMaxTyped = 64;
  if (typed.size() > kMaxTyped) return "";
  std::string best;
  // A third of the letters may be wrong.
  std::size_t least = std::max<std::size_t>(1, typed.size() / 3) + 1;
  for (const std::string& name : names) {
    const std::size_t found = distance(typed, name);
    if (found >= least) continue;
    least = found;
    best = name;
  }
  return best;
}

std::string parse_error_message(const CLI::App& app, const std::vector<std::string>& arguments,
                                const CLI::ParseError& error) {
  const CLI::App* const command = chosen_command(app);
  if (command == nullptr) {
    const auto first = std::ranges::find_if(
        arguments, [](const std::string& argument) { return !argument.starts_with('-'); });
    std::vector<std::string> names;
    for (const CLI::App* each : app.get_subcommands({})) names.push_back(each->get_name());
    if (first == arguments.end())
      return fmt::format("expected a command: {}", fmt::join(names, ", "));
    return fmt::format("\"{}\" is no command{}", shortened(*first), suggestion(*first, names));
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string> names = option_names(app);
    for (std::string& name : option_names(*command)) names.push_back(std::move(name));
    for (const std::string& extra : command->remaining(true)) {
      if (!extra.starts_with("--")) continue;
      const std::string typed = extra.substr(0, extra.find('='));
      return fmt::format("{} has no option {}{}", command->get_name(), shortened(typed),
                         suggestion(typed, names));
    }
    for (const std::string& extra : app.remaining(true)) {
      if (!extra.starts_with("--")) continue;
      const std::string typed = extra.substr(0, extra.find('='));
      return fmt::format("{} has no option {}{}", command->get_name(), shortened(typed),
                         suggestion(typed, names));
    }
  }
  return shortened(error.what(), 400);
}

}  // namespace ocellus::cli
