// What a model thinks aloud, shown beside its answer.
#pragma once

#include "ocellus/answer.h"

namespace ocellus::cli {

// For one answer. Thoughts go to stderr, dimmed where that is a terminal, so that stdout has the
// answer and nothing else. One thread.
class ThoughtsView {
 public:
  explicit ThoughtsView(bool show) : show_(show) {}
  ThoughtsView(const ThoughtsView&) = delete;
  ThoughtsView& operator=(const ThoughtsView&) = delete;
  ~ThoughtsView() { close(); }

  // Before the piece's text is written.
  void add(const AnswerPiece& piece);
  // After the last piece. Shown or not: tells where the tokens ran out before an answer began.
  void end(const AnswerStats& stats);

 private:
  void close();

  const bool show_;
  bool open_ = false, answered_ = false;
};

}  // namespace ocellus::cli
