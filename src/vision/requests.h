// What a vision worker can be asked.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ocellus/options.h"
#include "vision/answer_channel.h"

namespace ocellus::vision {

// The part that all questions share.
struct Question {
  std::string text;
  AskOptions options;
  std::shared_ptr<AnswerChannel> channel;
  std::chrono::steady_clock::time_point asked_at;
};

struct Ask {
  std::filesystem::path path;
  Question question;
};
struct AskUrl {
  std::string url;
  Question question;
};
struct AskBytes {
  std::vector<std::byte> bytes;
  Question question;
};
struct Shutdown {};

// A message to the worker. Movable; fails at most one question.
struct Request {
  std::variant<Ask, AskUrl, AskBytes, Shutdown> body;

  // Null for Shutdown.
  Question* question() {
    return std::visit(
        [](auto& body_of_kind) -> Question* {
          if constexpr (requires { body_of_kind.question; }) return &body_of_kind.question;
          return nullptr;
        },
        body);
  }
  void fail(Error error) {
    if (Question* q = question(); q != nullptr && q->channel) q->channel->fail(std::move(error));
  }
};

}  // namespace ocellus::vision
