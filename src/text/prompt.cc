#include "text/prompt.h"

#include <utility>

#include "base/result.h"

namespace ocellus::text {
namespace {

using base::make_error;

constexpr std::string_view kVicunaSystem =
    "A chat between a curious human and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the human's questions. ";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Appends text, joined to the last segment when that one is trusted as much.
void append(std::vector<Segment>& segments, std::string_view text, bool trusted) {
  if (text.empty()) return;
  if (segments.empty() || segments.back().trusted != trusted) segments.push_back({"", trusted});
  segments.back().text += text;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

Result<PromptTemplate> PromptTemplate::named(std::string_view name) {
  Format f;
  if (name == "llava-1.5" || name == "vicuna") {
    f.user_before = "USER: ", f.user_after = " ";
    f.assistant_before = "ASSISTANT: ", f.assistant_after = name == "vicuna" ? "\2" : " ";
    f.generation = "ASSISTANT:";
    f.system_after = " ";
    if (name == "vicuna") f.default_system = kVicunaSystem;
  } else if (name == "mistral") {
    f.user_before = "[INST] ", f.user_after = " [/INST]";
    f.assistant_before = " ", f.assistant_after = "\2 ";
    f.system_before = "<<SYS>>\n", f.system_after = "\n<</SYS>>\n\n";
  } else if (name == "llama-3") {
    f.begin = "\1";
    f.system_before = "<|start_header_id|>system<|end_header_id|>\n\n";
    f.user_before = "<|start_header_id|>user<|end_header_id|>\n\n";
    f.assistant_before = f.generation = "<|start_header_id|>assistant<|end_header_id|>\n\n";
    f.system_after = f.user_after = f.assistant_after = "<|eot_id|>";
    f.trim = true;
  } else if (name == "chatml") {
    f.system_before = "<|im_start|>system\n", f.user_before = "<|im_start|>user\n";
    f.assistant_before = f.generation = "<|im_start|>assistant\n";
    f.system_after = f.user_after = f.assistant_after = "<|im_end|>\n";
  } else if (name == "plain") {
    f.user_after = f.assistant_after = f.system_after = "\n";
  } else if (const std::size_t question = name.find("{question}");
             question != std::string_view::npos) {
    std::string before(name.substr(0, question));
    f.user_after = std::string(name.substr(question + std::string_view("{question}").size()));
    if (const std::size_t system = before.find("{system}"); system != std::string::npos) {
      f.begin = before.substr(0, system);
      before.erase(0, system + std::string_view("{system}").size());
    }
    if (const std::size_t image = before.find("<image>"); image != std::string::npos) {
      f.begin += before.substr(0, image);
      f.image = "\3" + before.substr(image + std::string_view("<image>").size());
      before.clear();
    }
    f.user_before = before;
  } else {
    return make_error(ErrorCode::kInvalidArgument,
                      "prompt template: expected llava-1.5, vicuna, mistral, llama-3, chatml, "
                      "plain or a text with {{question}}, found \"{}\"",
                      name);
  }
  return PromptTemplate(std::move(f));
}

Result<PromptTemplate> PromptTemplate::parse(std::string_view jinja, std::string_view file) {
  const auto family = [&]() -> std::string_view {
    if (contains(jinja, "<|start_header_id|>")) return "llama-3";
    if (contains(jinja, "<|im_start|>")) return "chatml";
    if (contains(jinja, "[INST]")) return "mistral";
    if (contains(jinja, "ASSISTANT:") && (contains(jinja, "USER: ") || contains(jinja, ".upper()")))
      return "llava-1.5";
    return "";
  }();
  if (family.empty()) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: none of the known formats; give --prompt-template", file);
  }
  OCELLUS_ASSIGN_OR_RETURN(PromptTemplate known, named(family));
  Format& f = known.format_;
  if (family == "llava-1.5") {
    if (contains(jinja, "A chat between")) f.default_system = kVicunaSystem;
    if (contains(jinja, "</s>") || contains(jinja, "eos_token")) f.assistant_after = "\2";
    // The published template writes a system text as it is, with the space that follows every text.
    if (contains(jinja, "bos_token")) f.begin = "\1";
  } else if (family == "chatml" && contains(jinja, "You are a helpful assistant.")) {
    f.default_system = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n";
  } else if (family == "llama-3" && !contains(jinja, "begin_of_text") &&
             !contains(jinja, "bos_token")) {
    f.begin.clear();
  }
  return known;
}

Result<std::vector<Segment>> PromptTemplate::render(std::span<const Message> messages,
                                                    const Specials& specials,
                                                    bool add_generation_prompt) const {
  std::vector<Segment> segments;
  const auto write = [&](std::string_view text) {
    for (const char c : text) {
      append(segments,
             c == '\1'   ? std::string_view(specials.bos)
             : c == '\2' ? std::string_view(specials.eos)
             : c == '\3' ? std::string_view(specials.image)
                         : std::string_view(&c, 1),
             true);
    }
  };
  write(format_.begin);
  if (messages.empty() || messages.front().role != Message::Role::kSystem)
    write(format_.default_system);
  for (const Message& message : messages) {
    const bool user = message.role == Message::Role::kUser,
               system = message.role == Message::Role::kSystem;
    write(system ? format_.system_before : user ? format_.user_before : format_.assistant_before);
    for (int i = 0; i < message.images; ++i) write(format_.image);
    append(segments, format_.trim ? trim(message.text) : std::string_view(message.text), false);
    write(system ? format_.system_after : user ? format_.user_after : format_.assistant_after);
  }
  if (add_generation_prompt) write(format_.generation);
  return segments;
}

}  // namespace ocellus::text
