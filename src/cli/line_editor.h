// Lines typed by a person, with editing and history.
#pragma once

#include <memory>
#include <string>

namespace ocellus::cli {

// Standard input is a terminal. One thread; one editor at a time, because the terminal has one
// mode. Ctrl-C while a line is read is an event of read(), and no signal; at other times the
// terminal is as it was.
class LineEditor {
 public:
  enum class Event { kLine, kInterrupt /* Ctrl-C: what was typed is dropped */, kEnd /* Ctrl-D */ };
  struct Input {
    Event event = Event::kEnd;
    std::string text;  // of kLine, without its end
  };

  LineEditor();
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Null members mean no terminal: kEnd at once.
  Input read(const std::string& prompt);
  // Puts a line where the arrow keys find it; not kept beyond the process.
  void remember(const std::string& line);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ocellus::cli
