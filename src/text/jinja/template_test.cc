#include "text/jinja/template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ocellus::text::jinja {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The rendering, or "error: " and the message.
std::string render(std::string_view source, const Limits& limits = {}) {
  const auto parsed = Template::parse(source, "t");
  if (!parsed) return "error: " + parsed.error().message;
  const Variables variables = {{"user", Text("<s> é", false)},
                               {"list", List{std::int64_t{3}, std::int64_t{1}, std::int64_t{2}}}};
  const auto text = parsed->render(variables, limits);
  if (text) return text->text.bytes;
  EXPECT_EQ(text.error().code, ErrorCode::kInvalidArgument) << source;
  return "error: " + text.error().message;
}

constexpr std::string_view kMin = "(-9223372036854775807 - 1)";

std::string with_min(std::string_view before, std::string_view after) {
  return "{{ " + std::string(before) + std::string(kMin) + std::string(after) + " }}";
}

TEST(JinjaNumbers, EdgesOfIntegers) {
  EXPECT_EQ(render("{{ ((-2.0)**63) is divisibleby(-1) }}"), "True");
  EXPECT_EQ(render(with_min("", " is divisibleby(-1)")), "True");
  EXPECT_EQ(render(with_min("", " % -1")), "0");
  EXPECT_EQ(render(with_min("", " // 1")), "-9223372036854775808");
  EXPECT_EQ(render("{{ 2**62 + (2**62 - 1) }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 // -2 }}"),
            "9223372036854775807 -4 2 -4");
  EXPECT_EQ(render("{{ -7.5 // 2 }} {{ -7.5 % 2 }} {{ 7.5 % -2 }}"), "-4.0 0.5 -0.5");
  EXPECT_EQ(render("{{ true + 1 }} {{ 2 ** -1 }} {{ 1e3 }} {{ 1.5e-1 }}"), "2 0.5 1000.0 0.15");
  EXPECT_EQ(render("{{ 1e18 | int }} {{ '12' | int }} {{ ' +1_000 ' | int }} {{ 'x' | int(7) }}"),
            "1000000000000000000 12 1000 7");
}

TEST(JinjaNumbers, WhatDoesNotFitIsAnError) {
  for (const std::string& source :
       {with_min("-", ""), with_min("", " // -1"), with_min("", " | abs"), with_min("", " - 1"),
        with_min("", " * 2"), with_min("", " * -1"), std::string("{{ 9223372036854775807 + 1 }}"),
        std::string("{{ 2 ** 63 }}"), std::string("{{ (-3) ** 9223372036854775807 }}"),
        std::string("{{ [9223372036854775807, 1] | sum }}"), std::string("{{ 1e300 | int }}"),
        std::string("{{ '1e300' | int }}"), std::string("{{ -1e19 | int }}")}) {
    EXPECT_THAT(render(source), HasSubstr("error: chat template: line 1: ")) << source;
    EXPECT_THAT(render(source), HasSubstr("integer overflow: expected at most 64 bits")) << source;
  }
  EXPECT_THAT(render("{{ '99999999999999999999' | int }}"), HasSubstr("integer beyond 64 bits"));
  EXPECT_THAT(render("{{ 99999999999999999999 }}"), StartsWith("error: t: line 1: integer beyond"));
  for (const char* source : {"{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1 / 0 }}", "{{ 1.0 // 0 }}",
                             "{{ 1 is divisibleby(0) }}", "{{ 0 ** -1 }}"}) {
    EXPECT_THAT(render(source), HasSubstr("division by zero")) << source;
  }
  EXPECT_EQ(render("{{ 1e300 is odd }} {{ 1e300 is even }}"), "False True");
}

// Names of attributes that look like numbers.
TEST(JinjaNumbers, NamesOfAttributes) {
  EXPECT_EQ(render("{{ [[1]] | map(attribute='0') | list }}"), "[1]");
  for (const char* name : {"", ".", "..", "0.", "-1", "99999999", "²"}) {
    const std::string text =
        render("{{ [[1]] | map(attribute='" + std::string(name) + "') | list | length }}");
    EXPECT_TRUE(text == "1" || text.starts_with("error: chat template: line 1")) << text;
  }
  EXPECT_THAT(render("{{ [[1]] | map(attribute='99999999999999999999') | list }}"),
              HasSubstr("error: "));
}

// One template each for everything that makes or walks a value; with small limits, every one of
// them reaches its own.
TEST(JinjaLimits, EverythingIsCharged) {
  Limits limits;
  limits.steps = 20'000;
  limits.bytes = 50'000;
  limits.string_bytes = 10'000;
  limits.items = 5'000;
  struct Case {
    const char *source, *what;
  };
  const Case cases[] = {
      {"{% for i in range(90) %}{% for j in range(90) %}{% for k in range(90) %}{% endfor %}"
       "{% endfor %}{% endfor %}",
       "items"},
      {"{% for i in [1,2,3,4,5,6,7,8] %}{% for i in [1,2,3,4,5,6,7,8] %}"
       "{% for i in [1,2,3,4,5,6,7,8] %}{% for i in [1,2,3,4,5,6,7,8] %}"
       "{% for i in [1,2,3,4,5,6,7,8] %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}"
       "{% endfor %}",
       "items"},
      {"{% set l = range(99) %}{% for i in l %}{% for i in l %}{% for i in l %}{% endfor %}"
       "{% endfor %}{% endfor %}",
       "steps"},
      {"{{ 'a' * 10001 }}", "bytes in a string"},
      {"{{ 'a' * 9223372036854775807 }}", "bytes in a string"},
      {"{% set a = 'a' * 6000 %}{{ a + a }}", "bytes in a string"},
      {"{% set a = 'a' * 6000 %}{{ a ~ a }}", "bytes in a string"},
      {"{% set a = 'a' * 6000 %}{{ a }}{{ a }}", "bytes in a string"},
      {"{% set a = 'a' * 100 %}{{ a | replace('a', a) | replace('a', a) }}", "bytes in a string"},
      {"{{ ('a' * 100).replace('a', 'a' * 1000) }}", "bytes in a string"},
      {"{% set a = 'a' * 100 %}{{ range(1000) | join(a) }}", "bytes in a string"},
      {"{{ ('a' * 200).join(range(100)) }}", "bytes in a string"},
      {"{{ ('a\n' * 200) | indent(100) }}", "bytes in a string"},
      {"{{ range(3000) | string }}", "bytes in a string"},
      {"{{ range(3000) | tojson }}", "bytes in a string"},
      {"{{ [range(200), range(200)] | tojson(indent=16) | length }}", "bytes in a string"},
      {"{{ (range(99) | list) * 99 }}", "items"},
      {"{{ (range(99) | list) * 9223372036854775807 }}", "items"},
      {"{% set n = namespace(a=range(99)) %}{% for i in range(9) %}{% set n.a = n.a + n.a %}"
       "{% endfor %}",
       "items"},
      {"{{ range(9223372036854775807) }}", "items"},
      {"{{ ('a' * 9000) | list }}", "items"},
      {"{{ ('a,' * 4999).split(',') | length }}{{ 'a b'.split() }}", "items"},
      {"{{ ('a ' * 3000).split() | map('upper') | list | length }}", "items"},
      {"{% set a = 'a' * 9000 %}{% for i in range(9) %}{{ a[1:] is string }}{% endfor %}",
       "bytes in strings"},
      {"{% set a = 'A' * 9000 %}{% for i in range(9) %}{{ a.lower() is string }}{% endfor %}",
       "bytes in strings"},
      {"{% set a = ' ' ~ 'A' * 9000 %}{% for i in range(9) %}{{ a.strip() is string }}"
       "{% endfor %}",
       "bytes in strings"},
      {"{% set l = range(2000) %}{{ l[1:] is string }}{{ l[::-1] is string }}{{ l[1:] }}", "items"},
      {"{% set l = range(2000) %}{{ l | sort | sort | length }}", "items"},
      {"{% set l = range(900) %}{{ l | unique | length }}", "steps"},
      {"{% set l = range(2000) %}{% for i in l %}{{ i in l }}{% endfor %}", "steps"},
      {"{% set a = 'a' * 9000 %}{% for i in range(900) %}{{ 'b' in a }}{% endfor %}", "steps"},
      {"{% set a = 'a' * 9000 %}{% for i in range(900) %}{{ a | length }}{% endfor %}", "steps"},
      {"{% set a = 'a' * 9000 %}{% for i in range(900) %}{{ a == a ~ '' }}{% endfor %}",
       "bytes in strings"},
      {"{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", "levels of evaluation"},
      {"{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}"
       "{{ f(25) }}",
       "steps"},
      {"{% set f = 'map' %}{{ ['a'] | map(f, f, f, f, f, f, 'x') }}", "filter \"x\""},
  };
  for (const Case& c : cases) {
    const std::string text = render(c.source, limits);
    EXPECT_THAT(text, StartsWith("error: chat template: line")) << c.source;
    EXPECT_THAT(text, HasSubstr(std::string(c.what))) << c.source;
  }
}

// At the default limits, what a hostile template can reach takes a moment.
TEST(JinjaLimits, HostileTemplatesEnd) {
  for (const char* source :
       {// Values inside one another, shared: 2^60 items when they are walked.
        "{% set n = namespace(a=[]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
        "{% endfor %}{{ n.a }}",
        "{% set n = namespace(a=[]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
        "{% endfor %}{{ n.a | tojson }}",
        "{% set n = namespace(a=[], b=[]) %}{% for i in range(60) %}{% set n.a = [n.a, n.a] %}"
        "{% set n.b = [n.b, n.b] %}{% endfor %}{{ n.a == n.b }}",
        "{% set n = namespace(a={}) %}{% for i in range(60) %}{% set n.a = {'a': n.a, 'b': n.a} %}"
        "{% endfor %}{{ n.a | string }}",
        // Searches whose time is the product of two lengths when done simply.
        "{% set a = 'a' * 8000000 %}{{ (a ~ 'b') in (a ~ a) }}{{ (a ~ 'b') in (a ~ a) }}"
        "{% for i in range(100) %}{{ (a ~ 'b') in (a ~ a) }}{% endfor %}",
        "{% set a = 'a' * 8000000 %}{{ a.strip('b' ~ 'c' * 8000000) is string }}",
        "{% for i in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"}) {
    EXPECT_THAT(render(source), StartsWith("error: chat template: line 1: ")) << source;
  }
  // Many names: each look-up walks over them.
  std::string names;
  for (int i = 0; i < 30'000; ++i) names += "{% set a" + std::to_string(i) + " = 1 %}";
  EXPECT_THAT(render(names + "{% for i in range(100000) %}{{ a1 }}{% endfor %}"),
              HasSubstr("steps"));
}

TEST(JinjaLimits, DepthOfValues) {
  // 180,000 lists inside one another, were they allowed, end the process when they are destroyed.
  for (const char* body : {"[[[n.a]]]", "{'b': n.a}", "(n.a,)", "n.a | map(attribute='x') | list",
                           "{'f': {'g': n.a}.items}"}) {
    const std::string source =
        "{% set n = namespace(a=[]) %}{% for i in range(60000) %}{% set n.a = " +
        std::string(body) + " %}{% endfor %}{{ n.a is string }}";
    const std::string text = render(source);
    if (std::string_view(body).find("map") != std::string_view::npos) continue;
    EXPECT_THAT(text, HasSubstr("lists and mappings inside one another: expected at most 64"))
        << body;
  }
}

TEST(JinjaLimits, NoCycles) {
  for (const char* source : {"{% set n = namespace() %}{% set n.x = n %}",
                             "{% set n = namespace() %}{% set n.x = [n] %}",
                             "{% set n = namespace() %}{% set n.x = {'n': n} %}",
                             "{% set n = namespace() %}{% set m = namespace(n=n) %}",
                             "{% for i in [1] %}{% set n = namespace(l=loop) %}{% endfor %}",
                             "{% set n = namespace() %}{{ [n] | length }}",
                             "{% set n = namespace() %}{{ dict(a=n) | length }}"}) {
    EXPECT_THAT(render(source), HasSubstr("cannot be put into a list, a mapping or a namespace"))
        << source;
  }
  // Methods of a mapping in that mapping's place.
  EXPECT_EQ(render("{% set n = namespace(d={}) %}{% set n.d = {'k': n.d.items} %}{{ n.d.k() }}"),
            "[]");
}

// Everything else that must not be deep: the evaluator's own calls.
TEST(JinjaLimits, DepthOfEvaluation) {
  std::string chain = "1";
  for (int i = 0; i < 990; ++i) chain += "+1";
  EXPECT_EQ(render("{{ " + chain + " }}"), "991");
  std::string text = "user";
  for (int i = 0; i < 600; ++i) text += ".x";
  EXPECT_THAT(render("{{ " + text + " }}"), HasSubstr("levels of evaluation"));
  std::string filters = "1";
  for (int i = 0; i < 900; ++i) filters += "|string";
  EXPECT_THAT(render("{{ " + filters + " }}"), HasSubstr("levels of evaluation"));
  // A call at the deep end of an expression, again and again.
  std::string call = "f()";
  for (int i = 0; i < 300; ++i) call += "|string";
  EXPECT_THAT(render("{% macro f() %}{{ " + call + " }}{% endmacro %}{{ f() }}"),
              HasSubstr("levels of evaluation"));
  std::string arguments = "'map'";
  for (int i = 0; i < 900; ++i) arguments += ",'map'";
  EXPECT_THAT(render("{{ ['a'] | map(" + arguments + ") | list }}"), HasSubstr("error: "));
}

TEST(JinjaErrors, NameTheLine) {
  EXPECT_EQ(render("a\n{{ 1 }}\n{{ nothing.x }}"),
            "error: chat template: line 3: \"nothing\" is undefined");
  EXPECT_EQ(render("{% macro f() %}\n\n{{ 1 }}{% endmacro %}\n{{ f() + 1 }}"),
            "error: chat template: line 4: \"+\": expected two numbers, found a string and an "
            "integer");
  EXPECT_EQ(render("{% macro f() %}\n{{ 1 | join }}{% endmacro %}\n\n{{ f() }}"),
            "error: chat template: line 2: filter \"join\": expected a list, found an integer");
  EXPECT_EQ(render("{{ raise_exception('Not\nhere') }}"), "error: chat template: Not here");
  EXPECT_THAT(render("{{ raise_exception('a' * 100000) }}").size(), ::testing::Lt(600));
  EXPECT_EQ(render("\n{{ [1] | sort(by='x') }}"),
            "error: chat template: line 2: filter \"sort\": an argument with a name that is not "
            "known");
  EXPECT_THAT(render(std::string(2'000'000, 'a')),
              HasSubstr("error: t: line 1: template too long: expected at most 1048576 bytes"));
}

TEST(JinjaText, UsersStayUsersAsKeys) {
  const auto parsed = Template::parse("{{ {user: 1} | first }}{{ {user: 1} }}", "t");
  const auto text = parsed->render({{"user", Text("<s>", false)}});
  ASSERT_TRUE(text.has_value()) << text.error().message;
  EXPECT_EQ(text->text.bytes, "<s>{'<s>': 1}");
  EXPECT_EQ(text->text.trusted.find('\1'), std::string::npos);
}

}  // namespace
}  // namespace ocellus::text::jinja
