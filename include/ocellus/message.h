// Conversations: messages of text and images, in any order.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ocellus/picture.h"

namespace ocellus {

enum class Role : std::uint8_t { kSystem, kUser, kAssistant };

// Text, or an image. Text is never read as control tokens, whoever wrote it.
using Part = std::variant<std::string, Picture>;

// Value type, any thread. Images may stand in any message that the model's chat template lets them
// stand in; most take them from users only.
struct Message {
  Role role = Role::kUser;
  std::vector<Part> parts = {};

  static Message system(std::string text) { return {Role::kSystem, {Part(std::move(text))}}; }
  static Message user(std::string text) { return {Role::kUser, {Part(std::move(text))}}; }
  static Message user(Picture picture, std::string text) {
    return {Role::kUser, {Part(std::move(picture)), Part(std::move(text))}};
  }
  static Message assistant(std::string text) { return {Role::kAssistant, {Part(std::move(text))}}; }
};

}  // namespace ocellus
