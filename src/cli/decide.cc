// ocellus decide: a question with given answers about pictures, as probabilities.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <memory>
#include <utility>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "ocellus/model.h"

namespace ocellus::cli {
namespace {

namespace bj = boost::json;

struct DecideCommand {
  std::vector<std::string> words;  // IMAGE... QUESTION
  std::vector<std::string> choices, levels;
  ModelFlags model;
  ProgressFlags progress;
  bool json = false;

  void add_to(CLI::App& command);
  Status run() const;

 private:
  DecisionQuestion question() const;
};

void DecideCommand::add_to(CLI::App& command) {
  command.add_option("words", words, "Pictures (paths or URLs), then the statement or question")
      ->required()
      ->type_name("[IMAGE...] QUESTION");
  auto* const choice = command.add_option("--choice", choices, "One of the answers (2 to 255)")
                           ->type_name("TEXT")
                           ->allow_extra_args(false)
                           ->group("Decision");
  command.add_option("--level", levels, "A level of a score, the lowest first (2 to 255)")
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->excludes(choice)
      ->group("Decision");
  model.add_to(command);
  command.add_flag("--json", json, "One JSON object: probabilities, choice or score, confidence")
      ->group("Output");
  progress.add_to(command);
}

DecisionQuestion DecideCommand::question() const {
  DecisionQuestion question;
  question.instructions = {Part(words.back())};
  if (!choices.empty()) question.kind = DecisionQuestion::Kind::kChoice;
  if (!levels.empty()) question.kind = DecisionQuestion::Kind::kScore;
  for (const std::string& text : choices.empty() ? levels : choices)
    question.options.push_back({text});
  return question;
}

bj::object to_json(const DecisionQuestion& question, const Decision& decision) {
  const DecisionAnswer& answer = decision.answers.front();
  const auto name = [&](std::size_t i) {
    if (question.kind == DecisionQuestion::Kind::kPredicate)
      return std::string(i == 0 ? "yes" : "no");
    return question.options[i].value;
  };
  bj::array probabilities;
  for (std::size_t i = 0; i < answer.probabilities.size(); ++i)
    probabilities.push_back(
        bj::object{{"answer", name(i)}, {"probability", answer.probabilities[i]}});
  bj::object out = {{"choice", name(answer.choice)}};
  if (question.kind == DecisionQuestion::Kind::kScore) out["score"] = answer.score;
  out["confidence"] = answer.confidence;
  out["probabilities"] = std::move(probabilities);
  out["tokens"] =
      bj::object{{"prompt", decision.prompt_tokens}, {"cached", decision.cached_tokens}};
  return out;
}

Status DecideCommand::run() const {
  const std::shared_ptr<Progress> shown = Progress::make(progress);
  OCELLUS_ASSIGN_OR_RETURN(ModelOptions options, model.options());
  options.progress = load_progress(shown);
  Message input{.role = Role::kUser, .parts = {}};
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    input.parts.emplace_back(Picture::parse(words[i]));
  OCELLUS_ASSIGN_OR_RETURN(Registry registry, Registry::create({.threads = model.threads}));
  OCELLUS_ASSIGN_OR_RETURN(Model opened, registry.open(options));
  const DecisionQuestion asked = question();
  auto decision = opened.decide({std::move(input)}, {asked});
  if (shown) shown->end();
  if (!decision) return std::unexpected(std::move(decision).error());
  const bj::object found = to_json(asked, *decision);
  if (json) return print_json(found);
  std::string text;
  for (const bj::value& each : found.at("probabilities").as_array()) {
    const bj::string& name = each.at("answer").as_string();
    text += fmt::format("{:5.1f} %  {}\n", 100 * each.at("probability").as_double(),
                        one_line(std::string_view(name.data(), name.size())));
  }
  if (const bj::value* const score = found.if_contains("score"))
    text += fmt::format("score {:.2f} of {}\n", score->as_double(), asked.options.size() - 1);
  return print(text);
}

}  // namespace

void add_decide(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("decide", "Decide between given answers, as probabilities");
  command->footer(
      "  ocellus decide photo.jpg \"There is a dog.\"                    yes or no\n"
      "  ocellus decide photo.jpg \"What is it?\" --choice cat --choice dog\n"
      "  ocellus decide photo.jpg \"How sharp is it?\" --level blurred --level fair --level "
      "sharp\n");
  auto flags = std::make_shared<DecideCommand>();
  flags->add_to(*command);
  command->callback(
      [flags, &action] { action = [flags] { return exit_code(flags->run(), flags->json); }; });
}

}  // namespace ocellus::cli
