// What `pack` and `quantize` share: from which model to which file, in which types, and how far.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace ocellus::cli {

struct ConversionFlags {
  // The texts of --help that the two commands do not share, and the names that types have.
  struct Words {
    const char *target, *weights, *tower_weights, *force, *json;
    std::vector<std::string> types;
  };

  std::string source, target, mmproj, weights, tower_weights;
  int threads = 0;
  bool force = false, json = false;

  // Gives back --weights, for who wants it said in any case.
  CLI::Option* add_to(CLI::App& command, const Words& words);
};

// load_progress() for work of one stage: "packing 12 %". Empty where nobody is to be told.
std::function<void(double fraction)> stage_progress(const char* stage);

}  // namespace ocellus::cli
