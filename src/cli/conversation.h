// A conversation on a terminal: one question after another, about pictures that come as they like.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cli/line_editor.h"
#include "cli/progress.h"
#include "ocellus/model.h"

namespace ocellus::cli {

// One thread. Errors of single questions are told on stderr, and the message is taken back.
class Conversation {
 public:
  // `pictures` go into the next message; `thoughts`: are shown too.
  Conversation(Model model, AskOptions options, std::vector<Message> messages,
               std::vector<Part> pictures, std::shared_ptr<Progress> progress, bool thoughts);

  // Until Ctrl-D or /quit. An error only where the answers cannot be written any more.
  Status run();

 private:
  std::optional<std::string> read_message();
  bool command(const std::string& line);
  void add_picture(std::string name);
  void set_system(std::string text);
  void ask(const std::string& text);
  Status stream_answer(AnswerStream& stream, std::string& text);
  void take_back(const Error& why);

  Model model_;
  AskOptions options_;
  std::vector<Message> messages_;
  std::vector<Part> pictures_;
  std::shared_ptr<Progress> progress_;
  const bool thoughts_;
  LineEditor editor_;
  bool quit_ = false;
  Status output_;  // why answers cannot be written any more

  std::mutex mutex_;
  AnswerStream* answering_ = nullptr;  // guarded by mutex_; what Ctrl-C stops
};

// The path that a line names: without quotes around it, with \ before spaces and ~/ at its
// beginning understood, as terminals paste names of files.
std::string unquote_path(std::string text);

}  // namespace ocellus::cli
