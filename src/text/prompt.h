// From a conversation to the prompt that a model was trained on.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "text/segment.h"

namespace ocellus::text {

struct Message {
  enum class Role { kSystem, kUser, kAssistant } role = Role::kUser;
  std::string text;
  int images = 0;  // pictures that stand before the text
};

// The texts of a tokenizer's control tokens.
struct Specials {
  std::string bos, eos, image;
};

// The prompt formats of the family. A checkpoint's chat template is recognised by what it writes;
// one that is none of them is kUnsupported, and the caller names a format or writes one. Immutable;
// any thread.
class PromptTemplate {
 public:
  // A Jinja chat template of a checkpoint.
  static Result<PromptTemplate> parse(std::string_view jinja, std::string_view file);
  // llava-1.5, vicuna, mistral, llama-3, chatml, plain; or a text with {question}, where wanted
  // {system} and <image>.
  static Result<PromptTemplate> named(std::string_view name_or_text);

  // What the user and the assistant said is untrusted; everything that the template writes is
  // trusted. Pictures stand before the text of their message.
  Result<std::vector<Segment>> render(std::span<const Message> messages, const Specials& specials,
                                      bool add_generation_prompt) const;

 private:
  // Texts around the messages; "\1" stands for the start token, "\2" for the end token, "\3" for
  // the picture's.
  struct Format {
    std::string begin;           // before everything
    std::string default_system;  // used where no system message is given
    std::string system_before, system_after;
    std::string user_before, user_after;
    std::string assistant_before, assistant_after;
    std::string generation;      // after the last message: the answer begins here
    std::string image = "\3\n";  // for each picture
    bool trim = false;           // message texts lose the white space around them
  };
  explicit PromptTemplate(Format format) : format_(std::move(format)) {}
  Format format_;
};

}  // namespace ocellus::text
