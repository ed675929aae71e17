#include "formats/generation_config.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/result.h"
#include "formats/config_reader.h"
#include "formats/limits.h"
#include "json/json.h"

namespace ocellus::formats {
namespace {

using Ids = GenerationConfig::Ids;

constexpr std::int64_t kMaxTokens = std::int64_t{1} << 20;
constexpr std::size_t kMaxSequences = std::size_t{1} << 16;
constexpr std::size_t kMaxSequenceIds = 64;

// A number in [least, most], where the reference takes no other.
double share(ConfigReader& r, std::string_view key, double fallback, double least, double most) {
  const double value = r.number(key, fallback);
  if (value >= least && value <= most) return value;
  r.fail(ErrorCode::kBadModel,
         fmt::format("{}: {}: expected {} to {}, found {}", r.where(), key, least, most, value));
  return fallback;
}

// A threshold that counts between 0 and 1 only.
double cutoff(ConfigReader& r, std::string_view key) {
  const double value = r.number(key, 0);
  return value > 0 && value < 1 ? value : 0;
}

std::optional<Ids> read_sequence(const json::bj::value& value) {
  const json::bj::array* array = value.if_array();
  if (array == nullptr || array->empty() || array->size() > kMaxSequenceIds) return std::nullopt;
  Ids ids;
  for (const json::bj::value& id : *array) {
    if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() >= kMaxVocabulary)
      return std::nullopt;
    ids.push_back(id.get_int64());
  }
  return ids;
}

// Calls read(item) for each item of the list under `key`; one that it refuses is an error.
template <typename Read>
void read_list(ConfigReader& r, const json::bj::object& object, std::string_view key,
               const char* expected, Read&& read) {
  if (!r.has(key)) return;
  const auto fail = [&](const std::string& found) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: {}: expected a list of {}, found {}", r.where(), key, expected, found));
  };
  const json::bj::value& list = object.at({key.data(), key.size()});
  const json::bj::array* items = list.if_array();
  if (items == nullptr) return fail(std::string(json::kind_name(list)));
  if (items->size() > kMaxSequences) return fail(fmt::format("{} items", items->size()));
  for (std::size_t i = 0; i < items->size(); ++i)
    if (!read((*items)[i])) return fail(fmt::format("something else as item {}", i));
}

void read_sequences(ConfigReader& r, const json::bj::object& object, GenerationConfig& config) {
  read_list(r, object, "bad_words_ids", "lists of 1 to 64 token ids",
            [&](const json::bj::value& item) {
              std::optional<Ids> ids = read_sequence(item);
              if (ids) config.bad_words.push_back(*std::move(ids));
              return ids.has_value();
            });
  read_list(r, object, "sequence_bias", "[token ids, bias]", [&](const json::bj::value& item) {
    const json::bj::array* pair = item.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[1].is_number()) return false;
    std::optional<Ids> ids = read_sequence((*pair)[0]);
    const double bias = (*pair)[1].to_number<double>();
    if (!ids || std::isnan(bias) || bias > std::numeric_limits<float>::max()) return false;
    config.sequence_bias.emplace_back(*std::move(ids), bias);
    return true;
  });
}

void read_decay(ConfigReader& r, GenerationConfig& config) {
  constexpr std::string_view kKey = "exponential_decay_length_penalty";
  const std::vector<double> decay = r.numbers(kKey, 2, false);
  if (decay.empty()) return;
  const double most = static_cast<double>(kMaxTokens);
  if (!(decay[0] >= 0 && decay[0] <= most && std::floor(decay[0]) == decay[0] && decay[1] > 0)) {
    r.fail(ErrorCode::kBadModel,
           fmt::format("{}: {}: expected a number of tokens and a factor above 0, found {} and {}",
                       r.where(), kKey, decay[0], decay[1]));
    return;
  }
  config.decay_start = static_cast<std::int64_t>(decay[0]);
  config.decay_factor = decay[1];
}

// What the reference does with these keys is not one token after the other.
std::string find_unsupported(ConfigReader& r, const GenerationConfig& config) {
  const auto differs = [](std::string_view key, double off, double found) {
    return found == off ? std::string() : fmt::format("{}: expected {}, found {}", key, off, found);
  };
  const auto more = [&](std::string_view key, std::int64_t off) {
    const std::int64_t found = r.integer(key, off, -kMaxTokens, kMaxTokens);
    return found > off ? fmt::format("{}: expected {}, found {}", key, off, found) : std::string();
  };
  const auto given = [&](std::string_view key) {
    return r.has(key) ? fmt::format("{}: expected none, found one", key) : std::string();
  };
  std::string contrastive;
  if (!config.do_sample && config.top_k > 1)
    contrastive = differs("penalty_alpha", 0, std::max(0.0, r.number("penalty_alpha", 0)));
  std::string healing;
  if (r.boolean("token_healing", false)) healing = "token_healing: expected false, found true";
  for (std::string found :
       {more("num_beams", 1), more("num_beam_groups", 1), given("constraints"),
        given("force_words_ids"), contrastive, given("dola_layers"), healing,
        differs("guidance_scale", 1, r.number("guidance_scale", 1)), given("watermarking_config"),
        differs("encoder_repetition_penalty", 1, r.number("encoder_repetition_penalty", 1)),
        more("encoder_no_repeat_ngram_size", 0), given("stop_strings"), given("max_time")}) {
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace

Result<GenerationConfig> parse_generation_config(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const ConfigFile document, ConfigFile::parse(text, file));
  ConfigReader r = document.reader();
  constexpr double kTiny = std::numeric_limits<double>::min();
  const auto ids = [&](std::string_view key, std::int64_t least) {
    return r.integers(key, {}, least, kMaxVocabulary);
  };
  GenerationConfig config;
  config.do_sample = r.boolean("do_sample", false);
  config.temperature = r.number("temperature", 1);
  config.top_h = share(r, "top_h", 1, kTiny, 1);
  config.top_k = r.integer("top_k", 50, 0, kMaxVocabulary);
  config.top_p = r.number("top_p", 1);
  config.min_p = share(r, "min_p", 0, 0, 1);
  config.typical_p = std::min(1.0, r.positive("typical_p", 1));
  config.epsilon_cutoff = cutoff(r, "epsilon_cutoff");
  config.eta_cutoff = cutoff(r, "eta_cutoff");
  config.repetition_penalty = r.positive("repetition_penalty", 1);
  config.no_repeat_ngram_size = r.integer("no_repeat_ngram_size", 0, 0, kMaxTokens);
  config.min_length = r.integer("min_length", 0, 0, kMaxTokens);
  config.min_new_tokens = r.integer("min_new_tokens", 0, 0, kMaxTokens);
  // Whisper's files say -1 for none.
  config.suppress_tokens = ids("suppress_tokens", -1);
  config.begin_suppress_tokens = ids("begin_suppress_tokens", -1);
  if (r.has("forced_bos_token_id"))
    config.forced_bos_token = r.integer("forced_bos_token_id", 0, 0, kMaxVocabulary);
  config.forced_eos_tokens = ids("forced_eos_token_id", 0);
  read_sequences(r, document.object(), config);
  read_decay(r, config);
  config.max_new_tokens = r.integer("max_new_tokens", 0, 1, kMaxTokens);
  config.eos_tokens = ids("eos_token_id", 0);
  config.unsupported = find_unsupported(r, config);
  OCELLUS_RETURN_IF_ERROR(r.status());
  return config;
}

}  // namespace ocellus::formats
