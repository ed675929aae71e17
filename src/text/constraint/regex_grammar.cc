#include "text/constraint/regex_grammar.h"

#include <algorithm>
#include <optional>

#include "base/result.h"
#include "text/constraint/regex_parser.h"

namespace ocellus::text {
namespace {

using Kind = RegexNode::Kind;

bool has_anchor(const RegexNode& node) {
  return node.kind == Kind::kStart || node.kind == Kind::kEnd ||
         std::ranges::any_of(node.children, has_anchor);
}

// Whether it is anchored at its ends, which are taken off. Nothing: an anchor stands elsewhere.
struct Anchors {
  bool start = false, end = false;
};
std::optional<Anchors> take_anchors(RegexNode& node) {
  Anchors found;
  if (node.kind == Kind::kStart || node.kind == Kind::kEnd) {
    found = {node.kind == Kind::kStart, node.kind == Kind::kEnd};
    node = {};
    return found;
  }
  if (node.kind == Kind::kSequence) {
    auto& parts = node.children;
    if (parts.size() == 1) return take_anchors(parts.front());
    if (!parts.empty() && parts.front().kind == Kind::kStart) {
      found.start = true;
      parts.erase(parts.begin());
    }
    if (!parts.empty() && parts.back().kind == Kind::kEnd) {
      found.end = true;
      parts.pop_back();
    }
  }
  if (has_anchor(node)) return std::nullopt;
  return found;
}

class Compiler {
 public:
  Compiler(GrammarBuilder& builder, Encoding encoding) : b_(builder), encoding_(encoding) {}

  Pc compile(const RegexNode& node, Pc next) {
    switch (node.kind) {
      case Kind::kCharacters:
        return b_.code_point(node.characters, encoding_, next);
      case Kind::kSequence:
        for (std::size_t i = node.children.size(); i-- > 0;) next = compile(node.children[i], next);
        return next;
      case Kind::kAlternatives: {
        std::vector<Pc> branches;
        for (const RegexNode& child : node.children) branches.push_back(compile(child, next));
        return b_.any_of(std::move(branches));
      }
      case Kind::kRepeat: {
        const auto body = [&](Pc after) { return compile(node.children.front(), after); };
        return b_.repeat(node.min, node.max, body, next);
      }
      case Kind::kStart:
      case Kind::kEnd:
        return next;
    }
    return next;
  }

  Pc anything(Pc next) {
    const Pc head = b_.new_branches();
    b_.set_branches(head, {b_.code_point({{0, 0x10FFFF}}, encoding_, head), next});
    return head;
  }

 private:
  GrammarBuilder& b_;
  const Encoding encoding_;
};

}  // namespace

Result<Pc> regex_grammar(GrammarBuilder& builder, std::string_view expression, bool whole,
                         Encoding encoding, std::string_view what, Pc next) {
  OCELLUS_ASSIGN_OR_RETURN(RegexNode root, parse_regex(expression, what));
  Compiler compiler(builder, encoding);
  std::vector<RegexNode> alternatives;
  if (root.kind == Kind::kAlternatives) {
    alternatives = std::move(root.children);
  } else {
    alternatives.push_back(std::move(root));
  }
  std::vector<Pc> branches;
  for (RegexNode& each : alternatives) {
    const auto anchors = take_anchors(each);
    if (!anchors) {
      return base::make_error(ErrorCode::kInvalidArgument, "{}: expected ^ and $ at the ends only",
                              what);
    }
    const Pc rest = whole || anchors->end ? next : compiler.anything(next);
    const Pc found = compiler.compile(each, rest);
    branches.push_back(whole || anchors->start ? found : compiler.anything(found));
  }
  return builder.any_of(std::move(branches));
}

}  // namespace ocellus::text
