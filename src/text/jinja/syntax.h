// A template as a tree.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja/value.h"

namespace ocellus::text::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

struct Expression {
  enum class Kind {
    kLiteral,    // value
    kName,       // name
    kList,       // operands
    kMap,        // operands: key, value, key, value ...
    kAttribute,  // operands[0].name
    kItem,       // operands[0][operands[1]]
    kSlice,      // operands[0][operands[1] : operands[2] : operands[3]], each may be null
    kCall,       // operands[0](arguments)
    kFilter,     // operands[0] | name(arguments)
    kTest,       // operands[0] is name(arguments)
    kUnary,      // name: not - +
    kBinary,     // name: or and == != < <= > >= in + - ~ * / // % **
    kChoice,     // operands[0] if operands[1] else operands[2] (may be null)
  } kind;
  int line = 0;
  std::string name = {};
  Value value = {};
  std::vector<ExpressionPtr> operands = {};
  CallArguments arguments = {};
};

struct Statement;
using Block = std::vector<Statement>;

struct Statement {
  enum class Kind {
    kText,      // text
    kOutput,    // expression
    kIf,        // expression: body, else otherwise
    kFor,       // names in expression (if condition): body, else otherwise
    kSet,       // names = expression; one name with '.' is a namespace's field
    kSetBlock,  // names[0] = the text of body, through expression (filters of "\0body") if given
    kFilter,    // the text of body through expression
    kMacro,     // text(names with defaults): body
    kScope,     // body ({% generation %}, {% with %} after its assignments)
    kBreak,
    kContinue,
  } kind;
  int line = 0;
  std::string text = {};
  std::vector<std::string> names = {};
  ExpressionPtr expression = {};
  ExpressionPtr condition = {};
  std::vector<ExpressionPtr> defaults = {};  // kMacro: as many as names, null where there is none
  Block body = {};
  Block otherwise = {};
};

// The name under which filter blocks read their body.
inline constexpr std::string_view kBodyName = "\1body";

// Throws Failure naming the line.
Block parse(std::string_view source);

}  // namespace ocellus::text::jinja
