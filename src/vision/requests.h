// What a vision worker can be asked.
#pragma once

#include <chrono>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "ocellus/message.h"
#include "ocellus/model.h"
#include "ocellus/options.h"
#include "text/constraint/grammar.h"
#include "vision/answer_channel.h"
#include "vision/result_channel.h"

namespace ocellus::vision {

// A conversation and who waits for its answer.
struct Question {
  std::vector<Message> messages;
  AskOptions options;
  AnswerWriter answer;
  std::chrono::steady_clock::time_point asked_at;
  std::shared_ptr<const text::Grammar> grammar = {};  // of options.response_format; null: none
};

// The three ways in which a conversation's images come, by what the slowest of them costs: files of
// this machine (or no image at all), bytes that the caller has read already, downloads.
struct Ask {
  Question question;
};
struct AskBytes {
  Question question;
};
struct AskUrl {
  Question question;
};
// How many tokens the prompt has.
struct CountTokens {
  std::vector<Message> messages;
  runtime::Writer<ResultChannel<std::int64_t>> result;
};
// What the tower makes of one picture.
struct EmbedImage {
  Picture picture;
  runtime::Writer<ResultChannel<ImageEmbedding>> result;
};
// Finish what was asked before, take nothing more, end.
struct Shutdown {};

// A message to the worker. Movable; fails at most one caller.
struct Request {
  std::variant<Ask, AskBytes, AskUrl, CountTokens, EmbedImage, Shutdown> body;

  // Null for others than questions.
  Question* question() {
    return std::visit(
        [](auto& kind) -> Question* {
          if constexpr (requires { kind.question; }) return &kind.question;
          return nullptr;
        },
        body);
  }
  void fail(Error error) noexcept {
    if (Question* q = question(); q != nullptr && q->answer) q->answer->fail(std::move(error));
    if (auto* count = std::get_if<CountTokens>(&body); count != nullptr && count->result)
      count->result->fail(std::move(error));
    if (auto* embed = std::get_if<EmbedImage>(&body); embed != nullptr && embed->result)
      embed->result->fail(std::move(error));
  }
};

}  // namespace ocellus::vision
