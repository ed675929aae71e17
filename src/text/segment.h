// A prompt's text, cut by who wrote it.
#pragma once

#include <string>

namespace ocellus::text {

// `trusted`: written by the chat template. What a user typed is not: the names of control tokens in
// it are ordinary text.
struct Segment {
  std::string text;
  bool trusted = false;
  bool operator==(const Segment&) const = default;
};

}  // namespace ocellus::text
