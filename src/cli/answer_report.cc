#include "cli/answer_report.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdio>

#include "base/utf8.h"

namespace ocellus::cli {
namespace {

namespace bj = boost::json;

bj::object to_json(const TokenLogprob& token) {
  bj::array bytes;
  for (const char c : token.text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"id", token.id},
          {"token", base::replace_invalid_utf8(token.text)},
          {"bytes", std::move(bytes)},
          {"logprob", token.logprob}};
}

bj::array to_json(const std::vector<TokenInfo>& tokens) {
  bj::array all;
  for (const TokenInfo& each : tokens) {
    bj::object token = to_json(each.token);
    bj::array top;
    for (const TokenLogprob& other : each.top) top.push_back(to_json(other));
    token.emplace("top_logprobs", std::move(top));
    all.push_back(std::move(token));
  }
  return all;
}

}  // namespace

bj::value to_json(const Answer& answer, std::uint64_t seed, bool logprobs) {
  const AnswerStats& stats = answer.stats;
  bj::object all = {{"answer", answer.text},
                    {"thoughts", answer.thoughts},
                    {"finish_reason", stats.finish == FinishReason::kStop ? "stop" : "length"},
                    {"seed", seed},
                    {"ids", bj::array(answer.ids.begin(), answer.ids.end())}};
  if (logprobs) all.emplace("logprobs", to_json(answer.tokens));
  all.emplace("tokens", bj::object{{"prompt", stats.prompt_tokens},
                                   {"image", stats.image_tokens},
                                   {"unbounded_image", stats.unbounded_image_tokens},
                                   {"cached", stats.cached_tokens},
                                   {"generated", stats.generated_tokens},
                                   {"thought", stats.thought_tokens},
                                   {"drafted", stats.drafted_tokens},
                                   {"accepted", stats.accepted_tokens}});
  all.emplace("seconds", bj::object{{"queue", stats.queue_seconds},
                                    {"fetch", stats.fetch_seconds},
                                    {"image", stats.image_seconds},
                                    {"tower", stats.tower_seconds},
                                    {"first_token", stats.first_token_seconds},
                                    {"total", stats.total_seconds}});
  return all;
}

void note_image_bound(const AnswerStats& stats) {
  if (stats.unbounded_image_tokens <= stats.image_tokens) return;
  std::fprintf(stderr,
               "ocellus: pictures were held to %lld tokens; --image-tokens model gives them %lld\n",
               static_cast<long long>(stats.image_tokens),
               static_cast<long long>(stats.unbounded_image_tokens));
}

}  // namespace ocellus::cli
