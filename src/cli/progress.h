// What a person is told while waiting for a model.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "ocellus/options.h"

namespace ocellus::cli {

struct ProgressFlags {
  bool progress = false, quiet = false;
  void add_to(CLI::App& command);
};

// On a terminal one line on stderr that is written over, and wiped at the end; else one line for
// each stage that is complete. Any thread may tell it something; what comes after end() is dropped
// until the next begin().
class Progress {
 public:
  // Null where nobody is to be told: with --quiet, and without --progress where stderr is no
  // terminal.
  static std::shared_ptr<Progress> make(const ProgressFlags& flags = {});

  explicit Progress(bool terminal) : terminal_(terminal), begun_(Clock::now()) {}

  void begin();
  void end();
  void show(const std::string& text, bool complete);

 private:
  using Clock = std::chrono::steady_clock;

  std::mutex mutex_;
  const bool terminal_;
  Clock::time_point begun_;
  bool ended_ = false, shown_ = false;
  std::string last_;
};

// For ModelOptions and AskOptions; empty where `progress` is null.
LoadProgress load_progress(std::shared_ptr<Progress> progress);
AskProgress ask_progress(std::shared_ptr<Progress> progress);

}  // namespace ocellus::cli
