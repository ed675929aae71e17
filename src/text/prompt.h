// From a conversation to the prompt that a model was trained on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ocellus/error.h"
#include "text/jinja/template.h"
#include "text/segment.h"
#include "text/thought_splitter.h"

namespace ocellus::text {

// Stands in a message for an image; the image itself is the caller's.
struct ImagePart {
  bool operator==(const ImagePart&) const = default;
};
using Part = std::variant<std::string, ImagePart>;

// One message of a conversation: text and images in any order.
struct Message {
  enum class Role { kSystem, kUser, kAssistant, kTool };
  Role role = Role::kUser;
  std::vector<Part> parts;
};

// The texts of a tokenizer's special tokens; empty where it has none.
struct SpecialTokens {
  std::string bos, eos, image;
};

// What a chat template gets beside the conversation. Tools and extra template variables (JSON
// values) belong here when they are added.
struct RenderOptions {
  bool add_generation_prompt = true;  // end with the beginning of the assistant's next message
  std::optional<bool> thinking = {};  // the template's enable_thinking; nothing: it is not defined
  jinja::Limits limits = {};          // of each shape of content that is tried, at most five
};

// A checkpoint's chat template, or one of the known formats. Immutable; any thread.
class PromptTemplate {
 public:
  // The checkpoint's own (Jinja). kBadModel naming `file`, line and what is wrong.
  static Result<PromptTemplate> parse(std::string_view jinja, std::string_view file);
  // llava-1.5, vicuna, mistral (a message's images first, as the published templates of LLaVA have
  // them), llama-3, chatml, plain (images where they stand); or a text with {question}, and where
  // wanted {system} (before everything that is said again for each question) and <image>.
  // kInvalidArgument.
  static Result<PromptTemplate> named(std::string_view name_or_text);

  // The prompt's text. What messages say is untrusted; everything that the template writes is
  // trusted. The n-th `tokens.image` in trusted text is the placeholder of the conversation's n-th
  // image part; there are as many placeholders as image parts.
  //
  // Message contents take the shape that the template reads: a list of {type: image} and
  // {type: text, text}, as transformers gives them; a list with {type: image_url}, as OpenAI's API
  // has them; or one string with the image token and a newline for each image. A template that
  // reads strings and writes the image tokens itself gets the text alone; one that reads lists, but
  // strings of some messages, gets strings for messages without images.
  //
  // kInvalidArgument: the template refuses the conversation (with its own message), fails, or
  // writes another number of image tokens in every shape.
  Result<std::vector<Segment>> render(std::span<const Message> messages,
                                      const SpecialTokens& tokens,
                                      const RenderOptions& options = {}) const;

  // What follows a prompt that this template has rendered. A template knows thoughts where its
  // source has <think>; a prompt has opened them where that is the last that the template wrote,
  // but for white space.
  Thoughts thoughts_after(std::span<const Segment> prompt) const;

 private:
  PromptTemplate(jinja::Template parsed, bool wants_parts, bool thinks)
      : template_(std::move(parsed)), wants_parts_(wants_parts), thinks_(thinks) {}
  static Result<PromptTemplate> from_text(std::string_view text);

  jinja::Template template_;
  jinja::Variables variables_;  // beside those of the conversation
  bool wants_parts_, thinks_;
};

}  // namespace ocellus::text
