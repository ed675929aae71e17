// How --help looks.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace ocellus::cli {

// "TYPE" of "TYPE:{f32,f16}" and "N:INT in [1 - 4]", which CLI11 makes of a type and its checks.
std::string_view type_of(const std::string& full);

// One blank line between groups, texts wrapped beside their options, and what an option takes in
// short: which values are wrong is said when one is given.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommand(const CLI::App* subcommand) const override;

 private:
  std::string make_all_groups(const CLI::App* app) const;
};

}  // namespace ocellus::cli
