#include "cli/thoughts_view.h"

#include <unistd.h>

#include <cstdio>

#include "cli/report.h"

namespace ocellus::cli {
namespace {

bool on_terminal() { return ::isatty(STDERR_FILENO) != 0; }

}  // namespace

void ThoughtsView::add(const AnswerPiece& piece) {
  if (show_ && !piece.thoughts.empty()) {
    if (!open_ && on_terminal()) std::fputs("\x1b[2m", stderr);
    open_ = true;
    std::fputs(on_terminal() ? lines(piece.thoughts).c_str() : piece.thoughts.c_str(), stderr);
  }
  if (piece.text.empty()) return;
  answered_ = true;
  close();
}

void ThoughtsView::end(const AnswerStats& stats) {
  close();
  if (answered_ || stats.thought_tokens == 0 || stats.finish != FinishReason::kLength) return;
  std::fputs(
      "ocellus: the tokens ran out before an answer began: --max-tokens gives more, "
      "--thinking off may spare them\n",
      stderr);
}

void ThoughtsView::close() {
  if (!open_) return;
  open_ = false;
  std::fputs(on_terminal() ? "\x1b[0m\n\n" : "\n\n", stderr);
}

}  // namespace ocellus::cli
