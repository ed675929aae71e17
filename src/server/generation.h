// A question as every dialect asks it, and the shape in which a dialect wants the answer.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/answer.h"
#include "ocellus/message.h"
#include "ocellus/options.h"
#include "server/api_error.h"
#include "server/http/message.h"

namespace ocellus::server {

struct Generation {
  std::string model;
  std::vector<Message> messages;
  AskOptions options;
  bool stream = false;
  bool load_only = false;  // nothing is asked: the model is loaded, or unloaded
  // How long the model stays in memory after this answer; below 0: for ever.
  std::optional<std::chrono::milliseconds> keep = {};
  bool progress = false;             // told by stage while nothing is written yet
  std::vector<std::string> ignored;  // fields without effect
};

// One answer in one dialect. Texts are whole events of its stream, framing included; empty where
// the dialect has nothing to say. One thread.
class AnswerFormat {
 public:
  virtual ~AnswerFormat() = default;

  virtual void answered_by(const std::string& model) = 0;  // once, before all others
  virtual std::string stream_type() const = 0;             // "text/event-stream"
  virtual std::string begin() { return {}; }
  virtual std::string piece(const AnswerPiece& piece) = 0;
  virtual std::string progress(const StageProgress&) { return {}; }
  virtual std::string ping() = 0;
  virtual std::string end(const AnswerStats& stats) = 0;
  virtual std::string error(const ApiError& error) = 0;  // the last event of a stream

  virtual Response whole(const Answer& answer) = 0;
  // In answer to a question that only loads: the model is there, or gone.
  virtual Response loaded(bool) const { return {.body = "{}"}; }
  virtual Response refusal(const ApiError& error) const = 0;
};

}  // namespace ocellus::server
