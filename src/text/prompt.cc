#include "text/prompt.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/result.h"
#include "base/utf8.h"
#include "text/jinja/lexer.h"

namespace ocellus::text {
namespace {

using base::make_error;
using jinja::List;
using jinja::Map;
using jinja::Text;
using jinja::Value;

// What the known formats are written with: a message's images, its text, and both as they stand.
constexpr std::string_view kMacros =
    "{% macro images(m) %}{% for c in m.content if c.type == 'image' %}{{ image_token + '\\n' }}"
    "{% endfor %}{% endmacro %}"
    "{% macro texts(m) %}{% for c in m.content if c.type == 'text' %}{{ c.text }}"
    "{% endfor %}{% endmacro %}"
    "{% macro parts(m) %}{% for c in m.content %}"
    "{{ image_token + '\\n' if c.type == 'image' else c.text }}{% endfor %}{% endmacro %}";

struct Format {
  std::string_view name, source;
};

constexpr std::string_view kThink = "<think>";

constexpr Format kFormats[] = {
    {"llava-1.5",
     "{% for m in messages %}"
     "{{ (m.role.upper() + ': ' if m.role != 'system' else '') + images(m) + texts(m) + ' ' }}"
     "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"},
    {"vicuna",
     "{% if messages[0].role != 'system' %}{{ 'A chat between a curious human and an artificial "
     "intelligence assistant. The assistant gives helpful, detailed, and polite answers to the "
     "human\\'s questions. ' }}{% endif %}{% for m in messages %}"
     "{% if m.role == 'assistant' %}{{ 'ASSISTANT: ' + texts(m) + eos_token }}"
     "{% else %}{{ ('USER: ' if m.role == 'user' else '') + images(m) + texts(m) + ' ' }}"
     "{% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"},
    {"mistral",
     "{% for m in messages %}"
     "{% if m.role == 'system' %}{{ '<<SYS>>\\n' + texts(m) + '\\n<</SYS>>\\n\\n' }}"
     "{% elif m.role == 'user' %}{{ '[INST] ' + images(m) + texts(m) + ' [/INST]' }}"
     "{% else %}{{ ' ' + texts(m) + eos_token + ' ' }}{% endif %}{% endfor %}"},
    {"llama-3",
     "{{ bos_token }}{% for m in messages %}"
     "{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' }}{% for c in m.content %}"
     "{{ image_token + '\\n' if c.type == 'image' else c.text | trim }}{% endfor %}"
     "{{ '<|eot_id|>' }}{% endfor %}"
     "{% if add_generation_prompt %}"
     "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"},
    {"chatml",
     "{% for m in messages %}"
     "{{ '<|im_start|>' + m.role + '\\n' + parts(m) + '<|im_end|>\\n' }}{% endfor %}"
     "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"},
    {"plain", "{% for m in messages %}{{ parts(m) + '\\n' }}{% endfor %}"},
};

// A person's own format; its texts are variables.
constexpr std::string_view kOwnFormat =
    "{{ own_begin }}{% for m in messages %}{% if m.role == 'user' %}{{ own_before }}"
    "{% for c in m.content if c.type == 'image' %}{{ image_token + own_after_image }}{% endfor %}"
    "{{ texts(m) + own_after }}{% else %}"
    "{{ texts(m) + (eos_token if m.role == 'assistant' else '') }}{% endif %}{% endfor %}";

// Templates that take a content apart read the "text" of its parts.
bool reads_parts(std::string_view source) {
  const std::vector<jinja::Token> tokens = jinja::tokenize(source);
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    const bool reads = tokens[i - 1].kind == jinja::Token::Kind::kOperator &&
                       (tokens[i - 1].text == "." || tokens[i - 1].text == "[");
    if (reads && tokens[i].text == "text") return true;
  }
  return false;
}

std::string_view role_name(Message::Role role) {
  constexpr std::string_view kNames[] = {"system", "user", "assistant", "tool"};
  return kNames[static_cast<std::size_t>(role)];
}

// The shapes of a message's content that templates read.
enum class Content {
  kParts,          // lists of {type: image} and {type: text, text}
  kPartsOrText,    // the same for messages with images, strings for the others
  kUrlParts,       // lists with {type: image_url}
  kTextWithImage,  // strings with image tokens
  kTextOnly,       // strings; the template writes the image tokens itself
};

Value content_of(const Message& message, const SpecialTokens& tokens, Content form) {
  List parts;
  Text text;
  const auto add = [&](const Text& more) {
    text.bytes += more.bytes;
    text.trusted += more.trusted;
  };
  for (const Part& part : message.parts) {
    if (const auto* said = std::get_if<std::string>(&part)) {
      const Text words(base::is_valid_utf8(*said) ? *said : base::replace_invalid_utf8(*said),
                       false);
      parts.emplace_back(Map{{"type", Text("text")}, {"text", words}});
      add(words);
    } else if (form == Content::kUrlParts) {
      parts.emplace_back(Map{{"type", Text("image_url")}, {"image_url", Map{{"url", Text("")}}}});
    } else {
      parts.emplace_back(Map{{"type", Text("image")}});
      if (form == Content::kTextWithImage) add(Text(tokens.image + "\n", true));
    }
  }
  const bool has_image = std::ranges::any_of(
      message.parts, [](const Part& part) { return std::holds_alternative<ImagePart>(part); });
  if (form == Content::kParts || form == Content::kUrlParts) return parts;
  if (form == Content::kPartsOrText && has_image) return parts;
  return text;
}

std::ptrdiff_t count_images(std::span<const Message> messages) {
  std::ptrdiff_t count = 0;
  for (const Message& message : messages) {
    count += std::ranges::count_if(
        message.parts, [](const Part& part) { return std::holds_alternative<ImagePart>(part); });
  }
  return count;
}

// How often the template wrote the token.
std::ptrdiff_t count_trusted(const Text& text, const std::string& token) {
  std::ptrdiff_t count = 0;
  for (std::size_t at = 0; !token.empty() && (at = text.bytes.find(token, at)) != std::string::npos;
       ++at) {
    count += text.substr(at, token.size()).all_trusted();
  }
  return count;
}

std::vector<Segment> segments_of(const Text& text) {
  std::vector<Segment> segments;
  for (std::size_t begin = 0; begin < text.bytes.size();) {
    const char who = text.trusted[begin];
    const std::size_t end =
        std::min(text.trusted.find(who == '\0' ? '\1' : '\0', begin), text.bytes.size());
    segments.push_back({text.bytes.substr(begin, end - begin), who != '\0'});
    begin = end;
  }
  return segments;
}

}  // namespace

Result<PromptTemplate> PromptTemplate::parse(std::string_view source, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(jinja::Template parsed, jinja::Template::parse(source, file));
  return PromptTemplate(std::move(parsed), reads_parts(source),
                        source.find(kThink) != std::string_view::npos);
}

Result<PromptTemplate> PromptTemplate::named(std::string_view name) {
  for (const Format& format : kFormats) {
    if (format.name == name) return parse(std::string(kMacros) + std::string(format.source), name);
  }
  if (name.find("{question}") != std::string_view::npos) return from_text(name);
  return make_error(ErrorCode::kInvalidArgument,
                    "prompt template: expected llava-1.5, vicuna, mistral, llama-3, chatml, plain "
                    "or a text with {{question}}, found \"{}\"",
                    name);
}

Result<PromptTemplate> PromptTemplate::from_text(std::string_view text) {
  constexpr std::string_view kQuestion = "{question}", kSystem = "{system}", kImage = "<image>";
  const std::size_t question = text.find(kQuestion);
  std::string_view before = text.substr(0, question), begin, after_image = "\n";
  if (const std::size_t system = before.find(kSystem); system != std::string_view::npos) {
    begin = before.substr(0, system);
    before.remove_prefix(system + kSystem.size());
  }
  if (const std::size_t image = before.find(kImage); image != std::string_view::npos) {
    after_image = before.substr(image + kImage.size());
    before = before.substr(0, image);
  }
  OCELLUS_ASSIGN_OR_RETURN(
      PromptTemplate own, parse(std::string(kMacros) + std::string(kOwnFormat), "prompt template"));
  own.variables_ = {{"own_begin", Text(begin, true)},
                    {"own_before", Text(before, true)},
                    {"own_after_image", Text(after_image, true)},
                    {"own_after", Text(text.substr(question + kQuestion.size()), true)}};
  own.thinks_ = text.find(kThink) != std::string_view::npos;
  return own;
}

Result<std::vector<Segment>> PromptTemplate::render(std::span<const Message> messages,
                                                    const SpecialTokens& tokens,
                                                    const RenderOptions& options) const {
  const auto attempt = [&](Content form) {
    List list;
    for (const Message& message : messages) {
      list.emplace_back(Map{{"role", Text(role_name(message.role), true)},
                            {"content", content_of(message, tokens, form)}});
    }
    jinja::Variables variables = variables_;
    variables.emplace_back("messages", std::move(list));
    variables.emplace_back("add_generation_prompt", options.add_generation_prompt);
    if (options.thinking) variables.emplace_back("enable_thinking", *options.thinking);
    variables.emplace_back("bos_token", Text(tokens.bos, true));
    variables.emplace_back("eos_token", Text(tokens.eos, true));
    variables.emplace_back("image_token", Text(tokens.image, true));
    return template_.render(variables, options.limits);
  };
  // The shape that the template seems to read first; the others where that gives another number of
  // image tokens, or where the template writes a list as if it were a string.
  constexpr Content kTextFirst[] = {Content::kTextWithImage, Content::kTextOnly, Content::kParts,
                                    Content::kPartsOrText, Content::kUrlParts};
  constexpr Content kPartsFirst[] = {Content::kParts, Content::kPartsOrText, Content::kUrlParts,
                                     Content::kTextWithImage, Content::kTextOnly};
  const std::ptrdiff_t images = count_images(messages);
  std::optional<Error> error;
  std::optional<Text> second_best;
  for (const Content form : wants_parts_ ? kPartsFirst : kTextFirst) {
    Result<jinja::Rendering> rendering = attempt(form);
    if (!rendering) {
      if (!error) error = std::move(rendering).error();
      continue;
    }
    const std::ptrdiff_t found = count_trusted(rendering->text, tokens.image);
    if (found == images) {
      if (!rendering->wrote_container) return segments_of(rendering->text);
      if (!second_best) second_best = std::move(rendering->text);
    } else if (!error) {
      error = make_error(ErrorCode::kInvalidArgument,
                         "chat template: wrong number of image tokens: expected {} (one for each "
                         "image), found {}",
                         images, found)
                  .error();
    }
  }
  if (second_best) return segments_of(*second_best);
  return std::unexpected(*std::move(error));
}

Thoughts PromptTemplate::thoughts_after(std::span<const Segment> prompt) const {
  if (!thinks_) return Thoughts::kNone;
  if (prompt.empty() || !prompt.back().trusted) return Thoughts::kMay;
  const std::string_view text = prompt.back().text;
  const bool open = text.substr(0, text.find_last_not_of(" \t\r\n") + 1).ends_with(kThink);
  return open ? Thoughts::kOpen : Thoughts::kMay;
}

}  // namespace ocellus::text
