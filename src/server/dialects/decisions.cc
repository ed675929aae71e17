#include "server/dialects/decisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "json/json.h"
#include "server/dialects/content.h"
#include "server/fields.h"
#include "vision/decision.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;
using Kind = DecisionQuestion::Kind;

constexpr std::size_t kMaxQuestions = 400;
constexpr std::size_t kMaxAnswers = 8192;

ApiError wrong(const std::string& where, std::string_view what) {
  return {.status = 400,
          .code = "invalid_value",
          .message = short_message(fmt::format("{}: {}", where, what)),
          .param = where};
}

std::string text_of(const bj::value& value) {
  return value.is_string() ? std::string(value.get_string()) : bj::serialize(value);
}

// {"type":"input_json","json":…} as text, other parts as chat has them.
bj::value plain_part(const bj::value& part) {
  const bj::object* const object = part.if_object();
  if (object == nullptr) return part;
  const bj::value* const json = object->if_contains("json");
  const bj::value* const type = object->if_contains("type");
  if (json != nullptr && type != nullptr && *type == "input_json")
    return bj::object{{"type", "text"}, {"text", bj::serialize(*json)}};
  bj::object out = *object;
  out.erase("prompt_cache_breakpoint");
  return out;
}

bj::value plain_content(const bj::value& content) {
  if (!content.is_array()) return content;
  bj::array parts;
  for (const bj::value& part : content.get_array()) parts.push_back(plain_part(part));
  return parts;
}

// A conversation in chat's shape: errors say where in the request.
std::expected<std::vector<Message>, ApiError> read_conversation(bj::array messages,
                                                                std::string_view name) {
  const bj::object shaped = {{"messages", std::move(messages)}};
  Fields inner(shaped);
  std::vector<Message> out = read_messages(inner, "messages");
  std::optional<ApiError> error = inner.error();
  if (!error) error = settle_pictures(out);
  if (!error) return out;
  for (std::string* const text : {&error->message, &error->param})
    if (text->starts_with("messages")) text->replace(0, 8, name);
  return std::unexpected(*std::move(error));
}

std::expected<std::vector<Message>, ApiError> read_input(Fields& fields) {
  const bj::value* const input = fields.any("input");
  if (input == nullptr) return std::unexpected(wrong("input", "is missing"));
  bj::array messages;
  if (input->is_string()) {
    messages.push_back(bj::object{{"role", "user"}, {"content", *input}});
  } else if (input->is_array()) {
    for (const bj::value& item : input->get_array()) {
      bj::value message = item;
      if (bj::object* const object = message.if_object())
        if (bj::value* const content = object->if_contains("content"))
          *content = plain_content(*content);
      messages.push_back(std::move(message));
    }
  } else {
    return std::unexpected(wrong("input", "expected a string or an array of messages"));
  }
  return read_conversation(std::move(messages), "input");
}

// What a question says: a text, parts, or (System One) any JSON.
std::expected<std::vector<Part>, ApiError> read_instructions(Fields& fields,
                                                             const std::string& where,
                                                             bool any_json) {
  const bj::value* const value = fields.any("instructions");
  if (value == nullptr) return std::unexpected(wrong(where + ".instructions", "is missing"));
  if (any_json && !value->is_string()) return std::vector<Part>{Part(bj::serialize(*value))};
  bj::array messages = {bj::object{{"role", "user"}, {"content", plain_content(*value)}}};
  auto read = read_conversation(std::move(messages), where + ".instructions");
  if (!read) return std::unexpected(read.error());
  return std::move(read->front().parts);
}

std::expected<DecisionQuestion, ApiError> read_question(Fields& fields, const std::string& where,
                                                        std::vector<bool>& bools) {
  DecisionQuestion question;
  const std::string type = fields.text("type").value_or("");
  auto instructions = read_instructions(fields, where, false);
  if (!instructions) return std::unexpected(instructions.error());
  question.instructions = *std::move(instructions);
  std::string list;
  if (type == "choice") {
    question.kind = Kind::kChoice;
    list = "choices";
  } else if (type == "score") {
    question.kind = Kind::kScore;
    list = "levels";
  } else if (type != "predicate") {
    return std::unexpected(wrong(where + ".type", "expected predicate, choice or score"));
  }
  const bj::value* const given = list.empty() ? nullptr : fields.any(list);
  if (!list.empty() && (given == nullptr || !given->is_array()))
    return std::unexpected(wrong(where + "." + list, "expected an array"));
  for (std::size_t i = 0; given != nullptr && i < given->get_array().size(); ++i) {
    const std::string here = fmt::format("{}.{}[{}]", where, list, i);
    const bj::object* const option = given->get_array()[i].if_object();
    if (option == nullptr) return std::unexpected(wrong(here, "expected an object"));
    Fields inner(*option, here);
    const bj::value* const value = inner.any(type == "choice" ? "value" : "label");
    const std::string description = inner.text("description").value_or("");
    inner.finish();
    if (inner.error()) return std::unexpected(*inner.error());
    const bool boolean = value != nullptr && value->is_bool() && type == "choice";
    if (value == nullptr || !(value->is_string() || boolean))
      return std::unexpected(wrong(here, "expected a text"));
    question.options.push_back({text_of(*value), description});
    bools.push_back(boolean);
  }
  return question;
}

std::optional<ApiError> check(const DecisionRequest& request) {
  std::size_t answers = 0;
  for (std::size_t i = 0; i < request.questions.size(); ++i) {
    const std::string where = fmt::format("questions[{}]", i);
    if (Status ok = vision::check_question(request.questions[i], where); !ok)
      return wrong(where, std::string_view(ok.error().message).substr(where.size() + 2));
    answers += std::max<std::size_t>(4, request.questions[i].options.size());
  }
  if (answers > kMaxAnswers)
    return wrong("questions", fmt::format("expected at most {} possible answers together, found {}",
                                          kMaxAnswers, answers));
  return std::nullopt;
}

bj::object base_answer(const DecisionRequest& request, std::size_t i, const char* type) {
  bj::object out = {{"type", type}, {"name", nullptr}};
  if (!request.names[i].empty()) out["name"] = request.names[i];
  return out;
}

Response shape_decisions(const DecisionRequest& request, const Decision& decision,
                         const std::string& model) {
  bj::array answers;
  for (std::size_t i = 0; i < decision.answers.size(); ++i) {
    const DecisionAnswer& answer = decision.answers[i];
    const DecisionQuestion& question = request.questions[i];
    if (question.kind == Kind::kPredicate) {
      bj::object out = base_answer(request, i, "predicate");
      out["probability"] = answer.probabilities[0];
      answers.push_back(std::move(out));
      continue;
    }
    const bool choice = question.kind == Kind::kChoice;
    bj::object out = base_answer(request, i, choice ? "choice" : "score");
    const auto value = [&](std::size_t k) {
      const std::string& text = question.options[k].value;
      return choice && request.bools[i][k] ? bj::value(text == "true") : bj::value(text);
    };
    bj::array probabilities;
    for (std::size_t k = 0; k < answer.probabilities.size(); ++k) {
      bj::object each = {{"probability", answer.probabilities[k]}};
      if (choice) {
        each["value"] = value(k);
      } else {
        each["label"] = value(k);
        each["value"] = k;
      }
      probabilities.push_back(std::move(each));
    }
    if (choice) {
      out["choice"] = value(answer.choice);
    } else {
      out["score"] = answer.score;
    }
    out["confidence"] = answer.confidence;
    out["probabilities"] = std::move(probabilities);
    answers.push_back(std::move(out));
  }
  const bj::object usage = {
      {"input_tokens", decision.prompt_tokens},
      {"input_tokens_details",
       bj::object{{"cached_tokens", decision.cached_tokens}, {"cache_write_tokens", 0}}},
      {"output_tokens", 0},
      {"output_tokens_details", bj::object{{"reasoning_tokens", 0}}},
      {"total_tokens", decision.prompt_tokens}};
  return {.body = bj::serialize(bj::object{{"object", "decision"},
                                           {"model", model},
                                           {"answers", std::move(answers)},
                                           {"usage", usage}})};
}

Response shape_systemone(const DecisionRequest& request, const Decision& decision,
                         const std::string& model) {
  bj::object answers;
  for (std::size_t i = 0; i < decision.answers.size(); ++i) {
    const DecisionAnswer& answer = decision.answers[i];
    const DecisionQuestion& question = request.questions[i];
    bj::object out;
    bj::object probabilities, legend;
    for (std::size_t k = 0; k < question.options.size(); ++k) {
      const bool score = question.kind == Kind::kScore;
      const std::string key = score ? std::to_string(k) : question.options[k].value;
      probabilities[key] = answer.probabilities[k];
      if (score) legend[key] = question.options[k].value;
    }
    switch (question.kind) {
      case Kind::kPredicate:
        out = {{"type", "noul"}, {"noul", answer.probabilities[0]}};
        break;
      case Kind::kChoice:
        out = {{"type", "choice"},
               {"choice", question.options[answer.choice].value},
               {"probabilities", std::move(probabilities)},
               {"confidence", answer.confidence}};
        break;
      case Kind::kScore:
        out = {{"type", "score"},
               {"score", answer.score},
               {"legend", std::move(legend)},
               {"probabilities", std::move(probabilities)},
               {"confidence", answer.confidence}};
        break;
    }
    answers[request.names[i]] = std::move(out);
  }
  return {
      .body = bj::serialize(bj::object{
          {"model", model},
          {"answers", std::move(answers)},
          {"usage", bj::object{{"input_tokens", decision.prompt_tokens}, {"output_tokens", 0}}}})};
}

std::expected<DecisionQuestion, ApiError> read_systemone_question(Fields& fields,
                                                                  const std::string& where) {
  DecisionQuestion question;
  const std::string type = fields.text("type").value_or("");
  auto instructions = read_instructions(fields, where, true);
  if (!instructions) return std::unexpected(instructions.error());
  question.instructions = *std::move(instructions);
  const bj::value* const criteria = fields.any("criteria");
  const bj::object* const named = criteria == nullptr ? nullptr : criteria->if_object();
  const std::string here = where + ".criteria";
  if (type == "score") {
    question.kind = Kind::kScore;
    if (criteria == nullptr || !criteria->is_array())
      return std::unexpected(wrong(here, "expected an array of texts"));
    for (const bj::value& each : criteria->get_array()) {
      if (!each.is_string()) return std::unexpected(wrong(here, "expected texts"));
      question.options.push_back({text_of(each)});
    }
    return question;
  }
  if (type != "choice" && type != "noul")
    return std::unexpected(wrong(where + ".type", "expected choice, noul or score"));
  question.kind = type == "choice" ? Kind::kChoice : Kind::kPredicate;
  if ((type == "choice" && named == nullptr) || (criteria != nullptr && named == nullptr))
    return std::unexpected(wrong(here, "expected an object"));
  if (named == nullptr) return question;
  for (const auto& [key, value] : *named) {
    if (!value.is_string() && !value.is_null())
      return std::unexpected(wrong(here, "expected texts"));
    const std::string description = value.is_string() ? std::string(value.get_string()) : "";
    std::string name(key);
    if (type == "noul" && name != "true" && name != "false")
      return std::unexpected(wrong(here, "expected true and false"));
    if (type == "noul") name = name == "true" ? "yes" : "no";
    question.options.push_back({std::move(name), description});
  }
  return question;
}

}  // namespace

std::expected<DecisionRequest, ApiError> parse_decisions(std::string_view body) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  DecisionRequest out;
  out.shape = shape_decisions;
  out.model = fields.text("model").value_or("");
  const bj::value* const questions = fields.any("questions");
  auto input = read_input(fields);
  fields.ignore({"prompt_cache_key", "prompt_cache_options", "safety_identifier"});
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  if (!input) return std::unexpected(input.error());
  out.input = *std::move(input);
  out.ignored = fields.ignored();
  if (questions == nullptr || !questions->is_array() || questions->get_array().empty() ||
      questions->get_array().size() > kMaxQuestions) {
    return std::unexpected(wrong("questions", "expected an array of 1 to 400 questions"));
  }
  for (std::size_t i = 0; i < questions->get_array().size(); ++i) {
    const std::string where = fmt::format("questions[{}]", i);
    const bj::object* const each = questions->get_array()[i].if_object();
    if (each == nullptr) return std::unexpected(wrong(where, "expected an object"));
    Fields inner(*each, where);
    out.names.push_back(inner.text("name").value_or(""));
    out.bools.emplace_back();
    auto question = read_question(inner, where, out.bools.back());
    if (!question) return std::unexpected(question.error());
    inner.finish();
    if (inner.error()) return std::unexpected(*inner.error());
    out.questions.push_back(*std::move(question));
  }
  if (auto error = check(out)) return std::unexpected(*std::move(error));
  return out;
}

std::expected<DecisionRequest, ApiError> parse_systemone(std::string_view body) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  DecisionRequest out;
  out.shape = shape_systemone;
  out.model = fields.text("model").value_or("");
  const bj::value* const state = fields.any("state");
  const bj::object* const questions = fields.object("questions");
  fields.ignore({"keep_alive"});
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  if (state == nullptr) return std::unexpected(wrong("state", "is missing"));
  if (questions == nullptr || questions->empty() || questions->size() > kMaxQuestions)
    return std::unexpected(wrong("questions", "expected 1 to 400 questions by name"));
  out.ignored = fields.ignored();
  // Parts of a message where it is such, any other JSON as text.
  const bool parts = state->is_array() && !state->get_array().empty() &&
                     std::ranges::all_of(state->get_array(), [](const bj::value& part) {
                       return part.is_object() && part.get_object().contains("type");
                     });
  const bj::value content = parts ? plain_content(*state) : bj::value(text_of(*state));
  auto input = read_conversation({bj::object{{"role", "user"}, {"content", content}}}, "state");
  if (!input) return std::unexpected(input.error());
  out.input = *std::move(input);
  for (const auto& [name, value] : *questions) {
    const std::string where = fmt::format(
        "questions.{}", std::string_view(name.data(), std::min<std::size_t>(name.size(), 80)));
    const bj::object* const each = value.if_object();
    if (each == nullptr) return std::unexpected(wrong(where, "expected an object"));
    Fields inner(*each, where);
    auto question = read_systemone_question(inner, where);
    if (!question) return std::unexpected(question.error());
    inner.finish();
    if (inner.error()) return std::unexpected(*inner.error());
    out.names.emplace_back(name);
    out.questions.push_back(*std::move(question));
  }
  if (auto error = check(out)) return std::unexpected(*std::move(error));
  return out;
}

}  // namespace ocellus::server
