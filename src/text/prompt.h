// From a conversation to the prompt that a model was trained on.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "text/jinja/template.h"
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

// A checkpoint's chat template, or one of the known formats. Immutable; any thread.
class PromptTemplate {
 public:
  // The checkpoint's own (Jinja). kBadModel naming `file`, line and what is wrong.
  static Result<PromptTemplate> parse(std::string_view jinja, std::string_view file);
  // llava-1.5, vicuna, mistral, llama-3, chatml, plain; or a text with {question}, and where wanted
  // {system} (before everything that is said again for each question) and <image>.
  // kInvalidArgument.
  static Result<PromptTemplate> named(std::string_view name_or_text);

  // What users and assistant said is untrusted; everything that the template writes is trusted.
  // Message contents are given as transformers gives them: a list of {type: image} and {type: text,
  // text}; to templates that want one text, the image token, a newline and the text.
  // kInvalidArgument with the template's own message when it refuses the conversation.
  Result<std::vector<Segment>> render(std::span<const Message> messages, const Specials& specials,
                                      bool add_generation_prompt) const;

 private:
  PromptTemplate(jinja::Template parsed, jinja::Map variables, bool wants_parts)
      : template_(std::move(parsed)), variables_(std::move(variables)), wants_parts_(wants_parts) {}
  static Result<PromptTemplate> from_text(std::string_view text);

  jinja::Template template_;
  jinja::Map variables_;  // beside those of the conversation
  bool wants_parts_;
};

}  // namespace ocellus::text
