#include "cli/help_formatter.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace ocellus::cli {
namespace {

constexpr std::size_t kColumn = 28;  // where texts begin
constexpr std::size_t kWidth = 100;

// The values of a check by list, where the description does not have them all anyway.
std::string values_of(const std::string& full, const std::string& description) {
  const std::size_t begin = full.find(":{");
  if (begin == std::string::npos) return {};
  std::string_view rest =
      std::string_view(full).substr(begin + 2, full.find('}', begin) - begin - 2);
  std::string values;
  bool new_one = false;
  while (!rest.empty()) {
    const std::string_view value = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(value.size() + 1, rest.size()));
    values += fmt::format("{}{}", values.empty() ? "" : ", ", value);
    new_one |= description.find(value) == std::string::npos;
  }
  return new_one ? values : std::string();
}

// `head`, and `text` in the column beside it, or below it where it is too long.
std::string columns(const std::string& head, std::string_view text) {
  std::string out = head;
  std::size_t at = head.size();
  const auto next_line = [&] {
    out += '\n';
    out.append(kColumn, ' ');
    at = kColumn;
  };
  if (at + 2 > kColumn) {
    next_line();
  } else {
    out.append(kColumn - at, ' ');
    at = kColumn;
  }
  for (bool first = true; !text.empty(); first = false) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (!first && at + 1 + end > kWidth) {
      next_line();
    } else if (!first) {
      out += ' ';
      ++at;
    }
    out += text.substr(0, end);
    at += end;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out + "\n";
}

}  // namespace

std::string_view type_of(const std::string& full) {
  const std::size_t range = full.find(" in [");
  const std::size_t check = range == std::string::npos ? full.find(":{") : full.rfind(':', range);
  return std::string_view(full).substr(0, check);
}

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
  std::string out = make_description(app) + make_usage(app, std::move(name)) +
                    make_subcommands(app, mode) + make_positionals(app) + make_all_groups(app);
  const std::string footer = make_footer(app);
  return footer.empty() ? out : out + "\n" + footer;
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  // Called with the whole name: "ocellus ask".
  std::string out = "Usage: " + name;
  if (!app->get_subcommands([](const CLI::App*) { return true; }).empty()) out += " COMMAND";
  for (const CLI::Option* each :
       app->get_options([](const CLI::Option* option) { return option->get_positional(); })) {
    const std::string type = each->get_type_name();
    out += each->get_required() ? fmt::format(" {}", type_of(type))
                                : fmt::format(" [{}]", type_of(type));
  }
  return out + " [OPTIONS]\n";
}

std::string HelpFormatter::make_group(std::string group, bool is_positional,
                                      std::vector<const CLI::Option*> options) const {
  std::string out = "\n" + (is_positional ? std::string("Arguments") : group) + ":\n";
  for (const CLI::Option* each : options) out += make_option(each, is_positional);
  return out;
}

// The options that every command has come last.
std::string HelpFormatter::make_all_groups(const CLI::App* app) const {
  std::vector<std::string> groups = app->get_groups();
  const auto general = std::ranges::find(groups, "Options");
  if (general != groups.end()) std::rotate(general, general + 1, groups.end());
  std::string out;
  for (const std::string& group : groups) {
    const auto options = app->get_options([&](const CLI::Option* option) {
      return option->get_group() == group && option->nonpositional();
    });
    if (!group.empty() && !options.empty()) out += make_group(group, false, options);
  }
  return out;
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  const std::string full = option->get_type_name();
  std::string head = "  ";
  if (is_positional) {
    head += type_of(full);
  } else {
    head += option->get_name(false, true);
    for (std::size_t at = 0; (at = head.find(',', at)) != std::string::npos; at += 2)
      head.insert(at + 1, " ");
    // Options with a short name only or a long name only stand in one column.
    if (option->get_snames().empty()) head.insert(2, "    ");
    if (option->get_type_size() != 0) head += fmt::format(" {}", type_of(full));
  }
  std::string text = option->get_description();
  if (const std::string values = values_of(full, text); !values.empty())
    text += fmt::format(" [{}]", values);
  if (option->get_required() && !is_positional) text += " (required)";
  return columns(head, text);
}

std::string HelpFormatter::make_subcommand(const CLI::App* subcommand) const {
  return columns("  " + subcommand->get_name(), subcommand->get_description());
}

}  // namespace ocellus::cli
