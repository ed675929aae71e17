#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace ocellus::cli {
namespace {

// Nothing flickers up for work that is done before it could be read.
constexpr std::chrono::milliseconds kQuietTime{200};

const char* name_of(Stage stage) {
  switch (stage) {
    case Stage::kQueue:
      return "queue";
    case Stage::kFetch:
      return "fetch";
    case Stage::kDecode:
      return "decode";
    case Stage::kTower:
      return "tower";
    case Stage::kPrefill:
      return "prefill";
  }
  return "";
}

}  // namespace

void ProgressFlags::add_to(CLI::App& command) {
  CLI::Option* const quiet_option =
      command.add_flag("-q,--quiet", quiet, "Show no progress")->group("Output");
  command
      .add_flag("--progress", progress,
                "Show on stderr how far loading, pictures and prompt are (default: on a terminal)")
      ->group("Output")
      ->excludes(quiet_option);
}

std::shared_ptr<Progress> Progress::make(const ProgressFlags& flags) {
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  if (flags.quiet || (!terminal && !flags.progress)) return nullptr;
  return std::make_shared<Progress>(terminal);
}

void Progress::begin() {
  const std::lock_guard lock(mutex_);
  begun_ = Clock::now();
  ended_ = false;
  last_.clear();
}

void Progress::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  if (!std::exchange(shown_, false)) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

void Progress::show(const std::string& text, bool complete) {
  const std::lock_guard lock(mutex_);
  if (ended_ || text == last_) return;
  if (!terminal_) {
    if (!complete) return;
    std::fprintf(stderr, "ocellus: %s\n", text.c_str());
  } else {
    if (!shown_ && (complete || Clock::now() - begun_ < kQuietTime)) return;
    std::fprintf(stderr, "\r\x1b[K%s", complete ? "" : text.c_str());
    shown_ = !complete;
  }
  std::fflush(stderr);
  last_ = text;
}

LoadProgress load_progress(std::shared_ptr<Progress> progress) {
  if (!progress) return {};
  return [progress = std::move(progress)](double fraction, const char* stage) {
    progress->show(fmt::format("{} {} %", stage, static_cast<int>(100 * fraction)), fraction >= 1);
  };
}

AskProgress ask_progress(std::shared_ptr<Progress> progress) {
  if (!progress) return {};
  return [progress = std::move(progress)](const StageProgress& at) {
    progress->show(fmt::format("{} {}/{}", name_of(at.stage), at.done, at.total),
                   at.done == at.total);
  };
}

}  // namespace ocellus::cli
