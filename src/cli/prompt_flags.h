// Options that say what is asked: pictures, question, earlier turns, or a whole conversation.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "ocellus/error.h"
#include "ocellus/message.h"

namespace ocellus::cli {

struct PromptFlags {
  std::vector<std::string> words;   // IMAGE... QUESTION; with --image the question alone
  std::vector<std::string> images;  // --image
  std::string messages_file;        // --messages: a path, or - for standard input
  std::string system;
  std::vector<std::string> earlier;  // question, answer, question, answer ...

  void add_to(CLI::App& command);

  // Without one the words are pictures, and a person may be asked for the question.
  bool has_question() const;

  // What is known without a question: the system message and the earlier turns. The pictures stand
  // before the first question; where that is still to come they are left in `pictures`.
  struct Start {
    std::vector<Message> messages;
    std::vector<Part> pictures;
  };
  Result<Start> start() const;

  // The whole conversation, which ends with the question. kInvalidArgument without one; errors of
  // reading files.
  Result<std::vector<Message>> messages() const;
};

}  // namespace ocellus::cli
