// ocellus ask: one picture, one question, the answer as it comes.
#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <memory>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/report.h"

namespace ocellus::cli {
namespace {

struct AskCommand {
  std::string picture;
  std::string question;
  ModelFlags model;
  SamplingFlags sampling;
  bool json = false;

  Status run() const;
  Result<Answer> ask() const;
};

std::string_view finish_name(FinishReason reason) {
  return reason == FinishReason::kStop ? "stop" : "length";
}

Result<Answer> AskCommand::ask() const {
  OCELLUS_ASSIGN_OR_RETURN(const ModelOptions model_options, model.options());
  OCELLUS_ASSIGN_OR_RETURN(AskOptions ask_options, sampling.options());
  OCELLUS_ASSIGN_OR_RETURN(Registry registry, Registry::create({.threads = model.threads}));
  OCELLUS_ASSIGN_OR_RETURN(Model opened, registry.open(model_options));
  OCELLUS_ASSIGN_OR_RETURN(AnswerStream stream,
                           opened.ask(sampling.conversation(Picture::parse(picture), question),
                                      std::move(ask_options)));
  const InterruptGuard guard([&stream] { stream.cancel(); });
  Answer answer;
  while (true) {
    OCELLUS_ASSIGN_OR_RETURN(std::optional<AnswerPiece> piece, stream.next());
    if (!piece) break;
    answer.text += piece->text;
    // Where nobody can read it there is no reason to go on computing.
    if (!json) OCELLUS_RETURN_IF_ERROR(print(piece->text));
  }
  answer.stats = stream.stats();
  return answer;
}

Status AskCommand::run() const {
  OCELLUS_ASSIGN_OR_RETURN(const Answer answer, ask());
  const AnswerStats& stats = answer.stats;
  if (!json) return print("\n");
  const std::string_view finish = finish_name(stats.finish);
  return print_json({{"answer", answer.text},
                     {"finish_reason", boost::json::string(finish.data(), finish.size())},
                     {"tokens",
                      {{"prompt", stats.prompt_tokens},
                       {"image", stats.image_tokens},
                       {"generated", stats.generated_tokens},
                       {"drafted", stats.drafted_tokens},
                       {"accepted", stats.accepted_tokens}}},
                     {"seconds",
                      {{"queue", stats.queue_seconds},
                       {"image", stats.image_seconds},
                       {"tower", stats.tower_seconds},
                       {"first_token", stats.first_token_seconds},
                       {"total", stats.total_seconds}}}});
}

}  // namespace

void add_ask(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("ask", "Ask a question about a picture");
  auto flags = std::make_shared<AskCommand>();
  command->add_option("picture", flags->picture, "Path or URL of the picture")
      ->required()
      ->type_name("IMAGE|URL");
  command->add_option("question", flags->question, "The question")->required()->type_name("TEXT");
  flags->model.add_to(*command);
  flags->sampling.add_to(*command);
  command->add_flag("--json", flags->json,
                    "One JSON object: answer, finish reason, token counts, timings");
  command->callback(
      [flags, &action] { action = [flags] { return exit_code(flags->run(), flags->json); }; });
}

}  // namespace ocellus::cli
