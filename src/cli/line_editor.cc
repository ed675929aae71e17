#include "cli/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace ocellus::cli {

struct LineEditor::State {
  EditLine* editor = nullptr;
  History* history = nullptr;
  std::string prompt;
  bool interrupted = false;

  static State& of(EditLine* editor) {
    void* state = nullptr;
    el_get(editor, EL_CLIENTDATA, &state);
    return *static_cast<State*>(state);
  }
  static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }
  static unsigned char on_interrupt(EditLine* editor, int) {
    of(editor).interrupted = true;
    return CC_NEWLINE;
  }
  // libedit's own handler restores the terminal, and takes it back when the program goes on.
  static unsigned char on_suspend(EditLine*, int) {
    ::kill(0, SIGTSTP);
    return CC_REFRESH;
  }
};

LineEditor::LineEditor() : state_(std::make_unique<State>()) {
  // Which bytes are a character is the terminal's to say; without a locale they are UTF-8, so that
  // no letter is cut in two.
  if (std::setlocale(LC_CTYPE, "") == nullptr || std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
    std::setlocale(LC_CTYPE, "C.UTF-8");
  // The prompt is for the person, not for the file or pipe that takes the answers.
  FILE* const shown = ::isatty(STDOUT_FILENO) != 0 ? stdout : stderr;
  state_->editor = el_init("ocellus", stdin, shown, stderr);
  if (state_->editor == nullptr) return;
  el_set(state_->editor, EL_CLIENTDATA, state_.get());
  el_set(state_->editor, EL_PROMPT, &State::show_prompt);
  el_set(state_->editor, EL_SIGNAL, 1);  // the window's size, and stopping, are looked after
  el_set(state_->editor, EL_EDITOR, "emacs");
  // While a line is edited Ctrl-C is a key, and so is Ctrl-Z.
  el_set(state_->editor, EL_SETTY, "-d", "-isig", nullptr);
  el_set(state_->editor, EL_ADDFN, "ocellus-interrupt", "Drop the line", &State::on_interrupt);
  el_set(state_->editor, EL_BIND, "^C", "ocellus-interrupt", nullptr);
  el_set(state_->editor, EL_ADDFN, "ocellus-suspend", "Stop the program", &State::on_suspend);
  el_set(state_->editor, EL_BIND, "^Z", "ocellus-suspend", nullptr);
  state_->history = history_init();
  if (state_->history == nullptr) return;
  HistEvent event;
  constexpr int kMaxLines = 1000;
  history(state_->history, &event, H_SETSIZE, kMaxLines);
  history(state_->history, &event, H_SETUNIQUE, 1);
  el_set(state_->editor, EL_HIST, history, state_->history);
}

LineEditor::~LineEditor() {
  if (state_->history != nullptr) history_end(state_->history);
  if (state_->editor != nullptr) el_end(state_->editor);
}

LineEditor::Input LineEditor::read(const std::string& prompt) {
  if (state_->editor == nullptr) return {};
  state_->prompt = prompt;
  state_->interrupted = false;
  int size = 0;
  const char* const line = el_gets(state_->editor, &size);
  // A signal from elsewhere is no end of input.
  if (state_->interrupted || (line == nullptr && size < 0 && errno == EINTR))
    return {.event = Event::kInterrupt, .text = {}};
  if (line == nullptr || size <= 0) return {};
  std::string_view text(line, static_cast<std::size_t>(size));
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return {.event = Event::kLine, .text = std::string(text)};
}

void LineEditor::remember(const std::string& line) {
  if (state_->history == nullptr || line.empty()) return;
  HistEvent event;
  history(state_->history, &event, H_ENTER, line.c_str());
}

}  // namespace ocellus::cli

#ifdef __SANITIZE_ADDRESS__
// libedit 3.1 never frees a few lines of its own (wcsdup).
extern "C" [[gnu::visibility("default")]] const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:wcsdup\n"; }
#endif
