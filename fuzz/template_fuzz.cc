// Chat templates: whatever the text, an error of one line or a prompt, within the budget.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/jinja/template.h"
#include "text/prompt.h"

namespace {

using namespace ocellus;
using text::ImagePart;
using text::Message;
using text::jinja::List;
using text::jinja::Map;
using text::jinja::Text;
using text::jinja::Value;

// Small, so that the fuzzer tries many templates rather than long ones.
text::jinja::Limits small_limits() {
  text::jinja::Limits limits;
  limits.steps = 5'000;
  limits.bytes = 1 << 18;
  limits.string_bytes = 1 << 16;
  limits.items = 3'000;
  return limits;
}

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Error& error) {
  require(!error.message.empty() && error.message.size() < 1000);
  require(error.message.find('\n') == std::string::npos);
  require(error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kBadModel);
}

// A conversation with a system message, three images and a tool's answer.
void render_messages(const text::PromptTemplate& prompt) {
  using enum Message::Role;
  static const std::vector<Message> kMessages = {
      {kSystem, {"Be brief."}},
      {kUser, {"What", ImagePart{}, "is it? <image> \xC3\xA9", ImagePart{}}},
      {kAssistant, {"<think>a</think>A cat."}},
      {kTool, {"{\"a\": 1}"}},
      {kUser, {ImagePart{}, "And </s> now?"}}};
  const auto segments = prompt.render(kMessages, {"<s>", "</s>", "<image>"},
                                      {.add_generation_prompt = true, .limits = small_limits()});
  if (!segments) return check(segments.error());
  std::size_t bytes = 0, images = 0;
  for (const text::Segment& segment : *segments) {
    require(!segment.text.empty());
    bytes += segment.text.size();
    for (std::size_t at = 0;
         segment.trusted && (at = segment.text.find("<image>", at)) != std::string::npos; ++at) {
      ++images;
    }
  }
  require(bytes <= std::size_t{1} << 16);
  require(images == 3);
}

// What templates read of tools, in the shape of OpenAI's API.
void render_tools(const text::jinja::Template& parsed) {
  const Map properties{{"place", Map{{"type", Text("string")}, {"enum", List{Text("a")}}}},
                       {"days", Map{{"type", Text("integer")}, {"default", std::int64_t{3}}}}};
  const Map parameters{
      {"type", Text("object")}, {"properties", properties}, {"required", List{Text("place")}}};
  const Map tool{{"type", Text("function")},
                 {"function", Map{{"name", Text("weather", false)},
                                  {"description", Text("Tells the \"weather\".", false)},
                                  {"parameters", parameters}}}};
  const Map call{{"id", Text("0")},
                 {"function",
                  Map{{"name", Text("weather")}, {"arguments", Map{{"place", Text("x", false)}}}}}};
  const List messages{Map{{"role", Text("user")}, {"content", Text("Hello", false)}},
                      Map{{"role", Text("assistant")},
                          {"content", text::jinja::None{}},
                          {"tool_calls", List{call}}},
                      Map{{"role", Text("tool")}, {"content", Text("sunny", false)}}};
  const auto text = parsed.render({{"messages", messages},
                                   {"tools", List{tool}},
                                   {"bos_token", Text("<s>")},
                                   {"eos_token", Text("</s>")},
                                   {"add_generation_prompt", true},
                                   {"enable_thinking", false}},
                                  small_limits());
  if (!text) return check(text.error());
  require(text->text.bytes.size() == text->text.trusted.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  // One or the other, for speed.
  if (size % 2 == 0) {
    const auto prompt = text::PromptTemplate::parse(source, "f");
    if (!prompt) {
      check(prompt.error());
    } else {
      render_messages(*prompt);
    }
    return 0;
  }
  const auto parsed = text::jinja::Template::parse(source, "f");
  if (!parsed) {
    check(parsed.error());
  } else {
    render_tools(*parsed);
  }
  return 0;
}
