// Settings of models and of single questions. Every default is what the checkpoint says, then the
// published LLaVA-1.5 value.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ocellus/weight_type.h"

namespace ocellus {

// How keys and values are kept. kAuto: f32 beside weights that are multiplied in f32, else f16.
// kQ8: 8 bits with one scale for each head and position; half the memory of f16.
enum class KvType : std::uint8_t { kAuto, kF32, kF16, kQ8 };

// What happens to a picture that is not square. kCrop: shortest edge, centre crop (Hugging Face
// LLaVA-1.5); kPad: padded to a square with the mean colour (the original LLaVA); kModel: what the
// checkpoint's own files say.
enum class Preprocess : std::uint8_t { kModel, kCrop, kPad };

// Which addresses a picture may be fetched from. By default only public ones.
struct FetchPolicy {
  bool allow_urls = true;
  std::vector<std::string> allow_hosts =
      {};  // "HOST[:PORT]" or "CIDR": exceptions for your own network
  // Errors name the cause: status, TLS, a private address. Say false where the one who reads them
  // is not the one whose network it is; the cause then goes to the log.
  bool explain_errors = true;
  std::chrono::milliseconds connect_timeout{3'000};    // name lookup; again TCP; again TLS
  std::chrono::milliseconds download_timeout{15'000};  // all of it
};

// Told during loading, from the model's worker thread; must not block. `fraction` is 0 to 1.
using LoadProgress = std::function<void(double fraction, const char* stage)>;

inline constexpr std::int64_t kUsualImageTokens = 1280, kCheckpointImageTokens = -1;

struct ModelOptions {
  // A Hugging Face directory, a GGUF language model, a directory with such and its mmproj file, or
  // a packed model, whose weights stay as they were packed: kAuto goes with it.
  std::filesystem::path path = {};
  std::filesystem::path mmproj = {};  // tower and projector of a GGUF language model
  WeightType weights = WeightType::kAuto;
  WeightType tower_weights = WeightType::kAuto;
  Preprocess preprocess = Preprocess::kModel;
  // Of one picture, for models where the picture decides: at most so many tiles, or tokens. The
  // most that the family's own setting allows within the limit; kInvalidArgument where not even its
  // least does. 0: as the checkpoint says; but models that take a picture in its own size, which
  // allow more than contexts hold, no more than kUsualImageTokens. kCheckpointImageTokens: as the
  // checkpoint says, always.
  std::int64_t max_tiles = 0;
  std::int64_t image_tokens = 0;
  // At least so many tokens, where small pictures are enlarged; 0: as the checkpoint says.
  std::int64_t min_image_tokens = 0;
  std::string prompt_template = {};  // empty: the checkpoint's own; a known name or a template text
  std::optional<float> temperature = {};            // else generation_config.json, else 0.2
  std::optional<std::int64_t> max_new_tokens = {};  // else generation_config.json, else 512
  // Where generation_config.json asks for beams or another search that is not built here: sample
  // instead of refusing the model.
  bool sample_instead = false;
  std::int64_t context_tokens = 0;  // 0: as much as the model allows, at most 4096
  KvType kv_type = KvType::kAuto;
  bool kv_cache = true;  // off: everything is computed again for each token; same text
  // Keys and values of prompts that are kept after their answers: a prompt that begins like an
  // earlier one, with the same pictures, computes only the rest. 0: nothing is kept. Same text.
  std::size_t prefix_cache_bytes = std::size_t{1} << 30;
  bool speculation = true;  // several tokens a step where the text repeats itself; same text
  std::size_t mailbox_capacity = 8;  // requests waiting; more are refused with kUnavailable
  std::size_t max_sequences = 8;     // requests that are answered at the same time
  // The longest that the worker computes on prompts and pictures while answers are running, before
  // each of these gets its next token.
  std::chrono::milliseconds slice = std::chrono::milliseconds(100);
  FetchPolicy fetch = {};
  LoadProgress progress = {};
};

// Where a question is on its way to its first token.
enum class Stage : std::uint8_t {
  kQueue,    // taken from the mailbox
  kFetch,    // images read or downloaded
  kDecode,   // images decoded and preprocessed
  kTower,    // images encoded
  kPrefill,  // tokens of the prompt computed
};

// `done` of `total`: images, or of kPrefill tokens; of kQueue 1 of 1.
struct StageProgress {
  Stage stage = Stage::kQueue;
  std::int64_t done = 0, total = 0;
};

// Told from the model's worker thread, in the order of the stages; must be short and must not
// throw.
using AskProgress = std::function<void(const StageProgress&)>;

// What an answer is held to. It then always is of this form, also when its tokens run out: what the
// form asks for still comes.
struct ResponseFormat {
  enum class Kind : std::uint8_t {
    kText,        // anything
    kJsonObject,  // one JSON object
    kJsonSchema,  // JSON that satisfies the schema in `text`, without white space
    kRegex,       // text that matches the expression in `text` from end to end
    kChoice,      // one of `choices`
  };
  Kind kind = Kind::kText;
  std::string text = {};
  std::vector<std::string> choices = {};
};

struct AskOptions {
  std::optional<std::int64_t> max_new_tokens = {};
  std::optional<float> temperature = {};         // 0: greedy
  std::optional<float> top_p = {};               // 1: off
  std::optional<std::int64_t> top_k = {};        // 0: off
  std::optional<float> min_p = {};               // 0: off
  std::optional<float> typical_p = {};           // 1: off; locally typical sampling
  std::optional<float> repetition_penalty = {};  // 1: off; over prompt and answer
  float presence_penalty = 0;   // -2 to 2: subtracted once from each token that the answer has
  float frequency_penalty = 0;  // -2 to 2: subtracted for each time that it has it
  std::map<std::int32_t, float> logit_bias = {};  // by token id, -100 to 100: added to its logit
  std::int64_t min_tokens = 0;  // no end token before so many; stop texts still count
  bool ignore_eos = false;      // no end token at all: the answer goes on to its limit
  // Whether the model may think aloud before it answers, where its chat template has a switch
  // (enable_thinking). Nothing: as the template does by itself, but not in an answer that is held
  // to a form or scored: those begin with the first token, and are refused where this is true.
  std::optional<bool> thinking = {};
  std::uint64_t seed = 0;  // the same seed gives the same answer, whatever else is running
  std::vector<std::string> stop = {};   // the answer ends before the first of these
  ResponseFormat response_format = {};  // stop texts still count
  bool logprobs = false;                // AnswerPiece::tokens
  int top_logprobs = 0;                 // 0 to 20 alternatives for each of them; needs logprobs
  // Instead of answering: how likely the model is to answer exactly this text, in
  // AnswerStats::log_probability. Nothing is generated; of the other options only the deadline
  // counts.
  std::optional<std::string> score = {};
  // From the call of ask(); at most ten minutes.
  std::optional<std::chrono::milliseconds> deadline = {};
  AskProgress progress = {};
};

}  // namespace ocellus
