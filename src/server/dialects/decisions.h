// OpenAI's POST /v1/decisions, and System One's POST /v1/systemone as Ollama's client sends it.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/decision.h"
#include "server/api_error.h"
#include "server/http/message.h"

namespace ocellus::server {

struct DecisionRequest {
  std::string model;
  std::vector<Message> input;
  std::vector<DecisionQuestion> questions;
  std::vector<std::string> names;        // of the questions; empty: none
  std::vector<std::vector<bool>> bools;  // which options of a choice are booleans
  std::vector<std::string> ignored;
  Response (*shape)(const DecisionRequest& request, const Decision& decision,
                    const std::string& model) = nullptr;
};

// 1 to 400 questions, whose possible answers are 8192 at most together.
std::expected<DecisionRequest, ApiError> parse_decisions(std::string_view body);
std::expected<DecisionRequest, ApiError> parse_systemone(std::string_view body);

}  // namespace ocellus::server
