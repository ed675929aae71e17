// Chat templates: the part of Jinja (version 3, as transformers sets it up) that checkpoints use,
// where every byte of the result knows whether the template or a user wrote it.
// Reference: transformers' chat_template_utils (ImmutableSandboxedEnvironment, trim_blocks,
// lstrip_blocks, loop controls, {% generation %}).
#pragma once

#include <memory>
#include <string_view>

#include "ocellus/error.h"
#include "text/jinja/evaluator.h"
#include "text/jinja/limits.h"

namespace ocellus::text::jinja {

struct Rendering {
  Text text;
  // A list or mapping with something of a user's in it was written as Python's str() does: the
  // template expected a string.
  bool wrote_container = false;
};

// Immutable; any thread. Nothing throws, whatever the template says.
class Template {
 public:
  // kBadModel naming `file`, the line and what is wrong there; kOutOfMemory.
  static Result<Template> parse(std::string_view source, std::string_view file);

  // kInvalidArgument: what the template refuses (raise_exception), in its own words; or the line
  // where it cannot do something with these values, or needs more than `limits`. kOutOfMemory.
  Result<Rendering> render(const Variables& variables, const Limits& limits = {}) const;

 private:
  explicit Template(Block block) : block_(std::make_shared<const Block>(std::move(block))) {}
  std::shared_ptr<const Block> block_;
};

}  // namespace ocellus::text::jinja
