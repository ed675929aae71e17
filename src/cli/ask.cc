// ocellus ask: pictures and a question, the answer as it comes; or a conversation on a terminal.
#include <unistd.h>

#include <memory>
#include <utility>

#include "base/result.h"
#include "cli/answer_report.h"
#include "cli/commands.h"
#include "cli/conversation.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/prompt_flags.h"
#include "cli/report.h"
#include "cli/thoughts_view.h"

namespace ocellus::cli {
namespace {

struct AskCommand {
  PromptFlags prompt;
  ModelFlags model;
  SamplingFlags sampling;
  ProgressFlags progress;
  bool json = false, logprobs = false;
  std::string thoughts = "hide";
  int top_logprobs = 0;

  void add_to(CLI::App& command);
  Status run() const;

 private:
  Result<Model> open(const std::shared_ptr<Progress>& shown) const;
  Result<AskOptions> options() const;
  bool shows_thoughts() const { return thoughts == "show"; }
  Status ask() const;
  Status converse() const;
};

void AskCommand::add_to(CLI::App& command) {
  prompt.add_to(command);
  sampling.add_to(command);
  model.add_to(command);
  CLI::Option* const as_json =
      command
          .add_flag("--json", json,
                    "One JSON object: answer, finish reason, token ids and counts, timings")
          ->group("Output");
  CLI::Option* const with_logprobs =
      command.add_flag("--logprobs", logprobs, "With --json: the log-probability of each token")
          ->needs(as_json)
          ->group("Output");
  command
      .add_option("--top-logprobs", top_logprobs,
                  "With --logprobs: as many of the likeliest tokens at each place (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(0, 20))
      ->needs(with_logprobs)
      ->group("Output");
  command
      .add_option(
          "--thoughts", thoughts,
          "Whether what a model thinks before it answers is shown on standard error: show or "
          "hide (default: hide; --json has it always)")
      ->type_name("HOW")
      ->check(CLI::IsMember({"show", "hide"}))
      ->group("Output");
  progress.add_to(command);
}

Result<Model> AskCommand::open(const std::shared_ptr<Progress>& shown) const {
  OCELLUS_ASSIGN_OR_RETURN(ModelOptions options, model.options());
  options.progress = load_progress(shown);
  OCELLUS_ASSIGN_OR_RETURN(Registry registry, Registry::create({.threads = model.threads}));
  return registry.open(options);
}

Result<AskOptions> AskCommand::options() const {
  OCELLUS_ASSIGN_OR_RETURN(AskOptions options, sampling.options());
  options.logprobs = logprobs;
  options.top_logprobs = top_logprobs;
  return options;
}

Status AskCommand::ask() const {
  const std::shared_ptr<Progress> shown = Progress::make(progress);
  OCELLUS_ASSIGN_OR_RETURN(AskOptions options, this->options());
  OCELLUS_ASSIGN_OR_RETURN(std::vector<Message> messages, prompt.messages());
  OCELLUS_ASSIGN_OR_RETURN(Model opened, open(shown));
  options.progress = ask_progress(shown);
  const std::uint64_t seed = options.seed;
  OCELLUS_ASSIGN_OR_RETURN(AnswerStream stream,
                           opened.ask(std::move(messages), std::move(options)));
  // Whatever ends this, the line of progress is wiped before anything else is written.
  const std::unique_ptr<Progress, void (*)(Progress*)> wipe(shown.get(),
                                                            [](Progress* p) { p->end(); });
  const InterruptGuard guard([&stream] { stream.cancel(); });
  if (json) {
    OCELLUS_ASSIGN_OR_RETURN(const Answer answer, stream.wait());
    if (shown) shown->end();
    return print_json(to_json(answer, seed, logprobs));
  }
  ThoughtsView view(shows_thoughts());
  while (true) {
    OCELLUS_ASSIGN_OR_RETURN(const std::optional<AnswerPiece> piece, stream.next());
    if (shown && (!piece || !piece->text.empty() || shows_thoughts())) shown->end();
    if (!piece) {
      OCELLUS_RETURN_IF_ERROR(print("\n"));
      view.end(stream.stats());
      note_image_bound(stream.stats());
      return {};
    }
    view.add(*piece);
    // Where nobody can read it there is no reason to go on computing.
    OCELLUS_RETURN_IF_ERROR(print_answer(piece->text));
  }
}

Status AskCommand::converse() const {
  const std::shared_ptr<Progress> shown = Progress::make(progress);
  OCELLUS_ASSIGN_OR_RETURN(AskOptions options, this->options());
  OCELLUS_ASSIGN_OR_RETURN(PromptFlags::Start start, prompt.start());
  OCELLUS_ASSIGN_OR_RETURN(Model opened, open(shown));
  // Now, so that a model that is none is told before anything is typed.
  const Status loaded = opened.load();
  if (shown) shown->end();
  OCELLUS_RETURN_IF_ERROR(loaded);
  return Conversation(std::move(opened), std::move(options), std::move(start.messages),
                      std::move(start.pictures), shown, shows_thoughts())
      .run();
}

Status AskCommand::run() const {
  const bool person = ::isatty(STDIN_FILENO) != 0;
  return prompt.has_question() || json || !person ? ask() : converse();
}

}  // namespace

void add_ask(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "ask", "Ask a question about pictures, or hold a conversation on a terminal");
  command->footer(
      "  ocellus ask photo.jpg \"What is it?\"\n"
      "  ocellus ask --image a.jpg --image b.jpg \"What is different?\"\n"
      "  ocellus ask --messages conversation.json --json\n"
      "  ocellus ask photo.jpg                          a conversation; /help there\n");
  auto flags = std::make_shared<AskCommand>();
  flags->add_to(*command);
  command->callback(
      [flags, &action] { action = [flags] { return exit_code(flags->run(), flags->json); }; });
}

}  // namespace ocellus::cli
