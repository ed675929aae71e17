#include "text/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace ocellus::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Role = Message::Role;
namespace bj = boost::json;

const SpecialTokens kTokens{"<s>", "</s>", "<image>"};

std::string joined(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& segment : segments) text += segment.text;
  return text;
}

std::string rendered(std::string_view source, const std::vector<Message>& messages) {
  const auto parsed = PromptTemplate::parse(source, "t");
  if (!parsed) return "error: " + parsed.error().message;
  const auto segments = parsed->render(messages, kTokens);
  return segments ? joined(*segments) : "error: " + segments.error().message;
}

std::vector<Message> messages_of(const bj::value& json) {
  std::vector<Message> messages;
  for (const bj::value& m : json.as_array()) {
    Message message;
    const bj::string& role = m.at("role").as_string();
    message.role = role == "user"     ? Role::kUser
                   : role == "system" ? Role::kSystem
                                      : Role::kAssistant;
    for (const bj::value& part : m.at("content").as_array()) {
      if (part.at("type").as_string() == "image")
        message.parts.emplace_back(ImagePart{});
      else
        message.parts.emplace_back(std::string(part.at("text").as_string()));
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

// Templates in the ways of published checkpoints, against transformers.
TEST(PromptTemplate, WritesWhatTransformersWrites) {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  std::ifstream file(std::filesystem::path(source) / "tests/golden/chat_templates.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const bj::value cases = bj::parse(text);
  ASSERT_GE(cases.as_array().size(), 20u);
  for (const bj::value& c : cases.as_array()) {
    const std::string result =
        rendered(c.at("template").as_string(), messages_of(c.at("messages")));
    const std::string name(c.at("name").as_string());
    if (const auto* refused = c.as_object().if_contains("refused")) {
      EXPECT_EQ(result, "error: chat template: " + std::string(refused->as_string())) << name;
    } else {
      EXPECT_EQ(result, std::string(c.at("prompt").as_string())) << name;
    }
  }
}

// Qwen's switch: not there, off, on.
TEST(PromptTemplate, ThinkingIsTheTemplatesToSwitch) {
  const auto parsed = PromptTemplate::parse(
      "{{ messages[0].content }}{% if enable_thinking is defined %}"
      "{{ ' on' if enable_thinking else ' off' }}{% endif %}",
      "t");
  ASSERT_TRUE(parsed.has_value());
  const std::vector<Message> messages = {{Role::kUser, {"Why?"}}};
  const auto with = [&](std::optional<bool> thinking) {
    RenderOptions options;
    options.thinking = thinking;
    return joined(*parsed->render(messages, kTokens, options));
  };
  EXPECT_EQ(with({}), "Why?");
  EXPECT_EQ(with(false), "Why? off");
  EXPECT_EQ(with(true), "Why? on");
}

// Whether thoughts may follow is the template's to say, not the user's.
TEST(PromptTemplate, SaysWhetherThoughtsFollow) {
  const auto after = [](std::string_view source, const std::string& question) {
    const auto parsed = PromptTemplate::parse(source, "t");
    const std::vector<Message> messages = {{Role::kUser, {question}}};
    return parsed->thoughts_after(*parsed->render(messages, kTokens));
  };
  const std::string asks = "{{ messages[0].content }}";
  EXPECT_EQ(after(asks, "x <think>\n"), Thoughts::kNone);
  EXPECT_EQ(after("{# <think> #}" + asks, "x <think>\n"), Thoughts::kMay);
  EXPECT_EQ(after(asks + "A:<think>\n", "x"), Thoughts::kOpen);
  EXPECT_EQ(after(asks + "{{ 'A:' + '<think>\\n' }}", "x"), Thoughts::kOpen);
  EXPECT_EQ(after(asks + "A:<think>\n\n</think>\n\n", "x"), Thoughts::kMay);
  const auto own = PromptTemplate::named("Q {question} A <think>");
  const std::vector<Message> messages = {{Role::kUser, {"x"}}};
  EXPECT_EQ(own->thoughts_after(*own->render(messages, kTokens)), Thoughts::kOpen);
}

TEST(PromptTemplate, KnowsWhoWroteWhat) {
  const auto parsed = PromptTemplate::named("llava-1.5");
  ASSERT_TRUE(parsed.has_value());
  const Message user{Role::kUser, {ImagePart{}, "Is <image> a </s>?"}};
  const auto segments = parsed->render(std::vector{user}, kTokens);
  ASSERT_TRUE(segments.has_value()) << segments.error().message;
  EXPECT_THAT(*segments,
              ElementsAre(Segment{"USER: <image>\n", true}, Segment{"Is <image> a </s>?", false},
                          Segment{" ASSISTANT:", true}));
}

// Filters and methods keep the author of what they cut, join and change.
TEST(PromptTemplate, ChangedTextKeepsItsAuthor) {
  for (const char* change :
       {"m.content[1].text | trim", "m.content[1].text.strip()", "m.content[1].text | upper | trim",
        "m.content[1].text.split('@')[0] | trim", "(m.content[1].text | trim)[:99]",
        "[m.content[1].text | trim] | join(',')", "(m.content[1].text | trim) ~ ''"}) {
    const auto parsed = PromptTemplate::parse(
        "{% for m in messages %}<image>{{ '[' + " + std::string(change) + " + ']' }}{% endfor %}",
        "t");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const auto segments =
        parsed->render(std::vector{Message{Role::kUser, {ImagePart{}, " </S> "}}}, kTokens);
    ASSERT_TRUE(segments.has_value()) << segments.error().message;
    EXPECT_THAT(*segments,
                ElementsAre(Segment{"<image>[", true}, Segment{"</S>", false}, Segment{"]", true}))
        << change;
  }
}

TEST(PromptTemplate, OwnFormats) {
  const auto own = PromptTemplate::named("{system}|Q: <image>;{question} A:");
  ASSERT_TRUE(own.has_value());
  const std::vector<Message> messages = {{Role::kSystem, {"Sys"}},
                                         {Role::kUser, {ImagePart{}, "one"}},
                                         {Role::kAssistant, {"two"}},
                                         {Role::kUser, {"three"}}};
  EXPECT_EQ(joined(*own->render(messages, kTokens)), "Sys|Q: <image>;one A:two</s>|Q: three A:");
  EXPECT_EQ(PromptTemplate::named("nonsense").error().code, ErrorCode::kInvalidArgument);
}

TEST(PromptTemplate, EveryKnownNameHasOnePlaceholderForOneImage) {
  for (const char* name : {"llava-1.5", "vicuna", "mistral", "llama-3", "chatml", "plain"}) {
    const auto format = PromptTemplate::named(name);
    ASSERT_TRUE(format.has_value()) << name;
    const std::vector<Message> messages = {
        {Role::kUser, {ImagePart{}, "one"}}, {Role::kAssistant, {"two"}}, {Role::kUser, {"three"}}};
    const auto text = joined(*format->render(messages, kTokens));
    EXPECT_EQ(text.find("<image>"), text.rfind("<image>")) << name;
    EXPECT_LT(text.find("one"), text.find("two")) << name;
    EXPECT_LT(text.find("two"), text.find("three")) << name;
  }
}

// Two images in one message, one in a later one, text before, between and after.
const std::vector<Message> kSeveralImages = {
    {Role::kSystem, {"S"}},
    {Role::kUser, {"a", ImagePart{}, "b <image>", ImagePart{}, "c"}},
    {Role::kAssistant, {"d"}},
    {Role::kUser, {"e", ImagePart{}}}};

TEST(PromptTemplate, ImagesStandWhereTheirPartsStandInEveryShapeOfContent) {
  struct Case {
    const char *source, *prompt;
  };
  const Case cases[] = {
      // lists of parts, as transformers has them
      {"{% for m in messages %}{% for c in m.content %}"
       "{{ '<image>' if c.type == 'image' else c.text }}|{% endfor %}{% endfor %}",
       "S|a|<image>|b <image>|<image>|c|d|e|<image>|"},
      // lists of parts, as OpenAI's API has them
      {"{% for m in messages %}{% for c in m.content %}"
       "{% if c.type == 'image_url' and c.image_url.url is string %}<image>"
       "{% elif c.type == 'text' %}{{ c.text }}{% endif %}|{% endfor %}{% endfor %}",
       "S|a|<image>|b <image>|<image>|c|d|e|<image>|"},
      // lists of parts, but the system message is a string
      {"{{ messages[0].content | trim }}|{% for m in messages[1:] %}{% if m.content is string %}"
       "{{ m.content }}|{% else %}{% for c in m.content %}"
       "{{ '<image>' if c.type == 'image' else c.text }}|{% endfor %}{% endif %}{% endfor %}",
       "S|a|<image>|b <image>|<image>|c|d|e|<image>|"},
      // one text
      {"{% for m in messages %}{{ m.content + '|' }}{% endfor %}",
       "S|a<image>\nb <image><image>\nc|d|e<image>\n|"},
  };
  for (const Case& c : cases) {
    const auto parsed = PromptTemplate::parse(c.source, "t");
    ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
    const auto segments = parsed->render(kSeveralImages, kTokens);
    ASSERT_TRUE(segments.has_value()) << segments.error().message;
    EXPECT_EQ(joined(*segments), c.prompt);
    // What the user typed is no placeholder.
    int placeholders = 0;
    for (const Segment& segment : *segments) {
      if (!segment.trusted) continue;
      for (std::size_t at = 0; (at = segment.text.find("<image>", at)) != std::string::npos; ++at)
        ++placeholders;
    }
    EXPECT_EQ(placeholders, 3) << c.source;
  }
}

TEST(PromptTemplate, NamedFormatsTakeSeveralImages) {
  const auto render = [](const char* name) {
    return joined(*PromptTemplate::named(name)->render(kSeveralImages, kTokens));
  };
  EXPECT_EQ(render("llava-1.5"),
            "S USER: <image>\n<image>\nab <image>c ASSISTANT: d USER: <image>\ne ASSISTANT:");
  EXPECT_EQ(render("plain"), "S\na<image>\nb <image><image>\nc\nd\ne<image>\n\n");
  EXPECT_EQ(render("chatml"),
            "<|im_start|>system\nS<|im_end|>\n"
            "<|im_start|>user\na<image>\nb <image><image>\nc<|im_end|>\n"
            "<|im_start|>assistant\nd<|im_end|>\n"
            "<|im_start|>user\ne<image>\n<|im_end|>\n<|im_start|>assistant\n");
}

TEST(PromptTemplate, AnotherNumberOfImageTokensIsAnError) {
  const auto parsed =
      PromptTemplate::parse("{% for m in messages %}{{ m.role }}{% endfor %}<image>", "t");
  const auto segments = parsed->render(kSeveralImages, kTokens);
  ASSERT_FALSE(segments.has_value());
  EXPECT_EQ(segments.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(
      segments.error().message,
      "chat template: wrong number of image tokens: expected 3 (one for each image), found 1");
}

TEST(PromptTemplate, ToolMessagesAndNoGenerationPrompt) {
  const auto parsed = PromptTemplate::parse(
      "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"
      "{% if add_generation_prompt %}assistant:{% endif %}",
      "t");
  const std::vector<Message> messages = {{Role::kUser, {"q"}}, {Role::kTool, {"r"}}};
  EXPECT_EQ(joined(*parsed->render(messages, kTokens)), "user:q;tool:r;assistant:");
  EXPECT_EQ(joined(*parsed->render(messages, kTokens, {.add_generation_prompt = false})),
            "user:q;tool:r;");
}

// Whatever a file says: an error that names file and line, in bounded time and memory.
TEST(PromptTemplate, BadTemplatesAreErrors) {
  const std::vector<Message> messages = {{Role::kUser, {ImagePart{}, "hello"}}};
  for (const char* source :
       {"{% if %}", "{{", "{% for x in %}{% endfor %}", "{{ 'abc }}", "{% endif %}",
        "{% if true %}", "{# open", "{{ 1 + }}", "{{ a b }}", "{% unknown %}", "{{ [1, 2 }}",
        "{% raw %}x", "{{ '\\u12' }}", "{{ 99999999999999999999 }}"}) {
    const std::string text = rendered(source, messages);
    EXPECT_THAT(text, HasSubstr("error: t: line 1")) << source;
  }
  for (const char* source :
       {"{{ 1 // 0 }}", "{{ 'a' + 1 }}", "{{ x.y.z }}", "{{ nothing() }}", "{{ 'a' | nofilter }}",
        "{{ 'a' is notest }}", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 'aaaaaaaaaaaaaaaa' * 1000000000 }}", "{{ 9223372036854775807 + 1 }}",
        "{{ raise_exception('no') }}"}) {
    EXPECT_THAT(rendered(source, messages), HasSubstr("error: ")) << source;
  }
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "(";
  EXPECT_THAT(rendered("{{ " + deep, messages), HasSubstr("error"));
  std::string chain = "1";
  for (int i = 0; i < 100000; ++i) chain += "+1";
  EXPECT_THAT(rendered("{{ " + chain + " }}", messages), HasSubstr("too long"));
}

}  // namespace
}  // namespace ocellus::text
