#include "benchmark/interference.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.h"
#include "benchmark/photo.h"
#include "benchmark/result.h"
#include "compute/pool.h"
#include "engine/engine.h"
#include "engine/sliced_encoder.h"
#include "image/image.h"

namespace ocellus::benchmark {
namespace {

using Clock = std::chrono::steady_clock;
using Prepared = Result<models::PreparedImage>;

constexpr std::int64_t kWarmUpTokens = 4;
constexpr std::int64_t kQuestionTokens = 16;
constexpr auto kInOneGo = std::chrono::hours(24);

std::vector<std::int32_t> some_ids(std::int64_t count, std::int64_t vocabulary) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<std::int32_t>(i * 7919 % vocabulary));
  return ids;
}

engine::SequenceRequest asked(std::vector<models::Segment> prompt, std::int64_t tokens) {
  engine::SequenceRequest request;
  request.prompt = std::move(prompt);
  request.max_new_tokens = tokens;
  return request;
}

Prepared prepare(const models::Model& model, std::span<const std::byte> photo) {
  OCELLUS_ASSIGN_OR_RETURN(const image::Image picture, image::decode_image(photo));
  return model.prepare_image(picture, models::ImageUse::kAlone);
}

// The photo on its way from the job that decodes it.
struct Decoded {
  std::mutex mutex;
  std::optional<Prepared> result;

  std::optional<Prepared> take() {
    const std::lock_guard lock(mutex);
    return std::exchange(result, std::nullopt);
  }
};

class Run {
 public:
  Run(const models::Model& model, const InterferenceOptions& options,
      std::span<const std::byte> photo, bool sliced)
      : model_(model),
        options_(options),
        photo_(photo),
        sliced_(sliced),
        encoder_(model, sliced ? std::chrono::nanoseconds(options.slice) : kInOneGo) {}

  Status start();
  // Everything until the others have their first tokens.
  Status serve();

  double longest_wait() const { return longest_; }
  double step_seconds() const { return step_; }
  std::int64_t tokens() const { return tokens_; }

 private:
  Status note(const engine::Engine::Events& events);
  Status add_others();
  Status work();
  Status encode();

  const models::Model& model_;
  const InterferenceOptions& options_;
  std::span<const std::byte> photo_;
  bool sliced_;
  std::unique_ptr<engine::Engine> engine_;
  engine::SlicedEncoder encoder_;
  std::unique_ptr<compute::Jobs> jobs_;
  std::shared_ptr<Decoded> decoding_;
  models::PreparedImage image_;
  std::int64_t running_ = 0;
  int others_left_ = 2;
  bool encoder_is_next_ = true;
  std::int64_t tokens_ = 0;
  double longest_ = 0, step_ = 0;
  Clock::time_point last_;
};

Status Run::start() {
  const std::int64_t vocabulary = model_.language().facts().vocab_size;
  engine::EngineOptions options;
  options.context_tokens = model_.language().facts().max_position;
  options.max_sequences = 3;
  options.speculation = false;
  options.slice = sliced_ ? std::chrono::nanoseconds(options_.slice) : kInOneGo;
  OCELLUS_ASSIGN_OR_RETURN(engine_, engine::Engine::create(model_, options));
  OCELLUS_ASSIGN_OR_RETURN(jobs_, compute::make_jobs(1, 1));
  OCELLUS_ASSIGN_OR_RETURN(running_,
                           engine_->add(asked({{.tokens = some_ids(kQuestionTokens, vocabulary)}},
                                              options.context_tokens)));
  while (!engine_->decoding()) OCELLUS_RETURN_IF_ERROR(note(engine_->prefill()));
  const auto begin = Clock::now();
  for (std::int64_t i = 0; i < kWarmUpTokens; ++i) OCELLUS_RETURN_IF_ERROR(note(engine_->decode()));
  step_ = seconds_since(begin) / static_cast<double>(kWarmUpTokens);
  tokens_ = 0;
  longest_ = 0;
  return {};
}

Status Run::note(const engine::Engine::Events& events) {
  for (const engine::SequenceEvent& event : events) {
    if (event.error) return std::unexpected(*event.error);
    if (!event.token) continue;
    if (event.sequence != running_) {
      --others_left_;
      engine_->cancel(event.sequence);
      continue;
    }
    const auto now = Clock::now();
    if (tokens_++ > 0)
      longest_ = std::max(longest_, std::chrono::duration<double>(now - last_).count());
    last_ = now;
  }
  return {};
}

Status Run::add_others() {
  const std::int64_t vocabulary = model_.language().facts().vocab_size;
  OCELLUS_RETURN_IF_ERROR(
      engine_->add(asked({{.tokens = some_ids(options_.prompt_tokens, vocabulary)}}, 2)));
  decoding_ = std::make_shared<Decoded>();
  const auto decode = [&model = model_, photo = photo_, decoded = decoding_] {
    Prepared prepared = prepare(model, photo);
    const std::lock_guard lock(decoded->mutex);
    decoded->result.emplace(std::move(prepared));
  };
  if (sliced_) return jobs_->submit(decode);
  decode();
  return {};
}

Status Run::encode() {
  OCELLUS_ASSIGN_OR_RETURN(const bool done, encoder_.run());
  if (!done) return {};
  const auto embeddings = std::make_shared<const models::ImageEmbeddings>(encoder_.take());
  const std::int64_t vocabulary = model_.language().facts().vocab_size;
  OCELLUS_RETURN_IF_ERROR(engine_->add(asked({{.image = embeddings, .rows = embeddings->rows},
                                              {.tokens = some_ids(kQuestionTokens, vocabulary)}},
                                             2)));
  return {};
}

Status Run::work() {
  if (auto prepared = decoding_->take()) {
    if (!*prepared) return std::unexpected(prepared->error());
    image_ = **std::move(prepared);
    OCELLUS_RETURN_IF_ERROR(encoder_.begin(image_));
  }
  const bool encoder_first = std::exchange(encoder_is_next_, !encoder_is_next_);
  if (encoder_.active() && (encoder_first || !engine_->prefilling())) return encode();
  return note(engine_->prefill());
}

Status Run::serve() {
  OCELLUS_RETURN_IF_ERROR(note(engine_->decode()));
  OCELLUS_RETURN_IF_ERROR(add_others());
  while (others_left_ > 0) {
    OCELLUS_RETURN_IF_ERROR(note(engine_->decode()));
    OCELLUS_RETURN_IF_ERROR(work());
  }
  return note(engine_->decode());
}

}  // namespace

Result<Interference> measure_interference(const models::Model& model,
                                          const InterferenceOptions& options) {
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<std::byte> photo,
                           make_photo(options.photo_width, options.photo_height));
  Interference found;
  for (const bool sliced : {false, true}) {
    Run run(model, options, photo, sliced);
    OCELLUS_RETURN_IF_ERROR(run.start());
    OCELLUS_RETURN_IF_ERROR(run.serve());
    (sliced ? found.sliced_seconds : found.unsliced_seconds) = run.longest_wait();
    found.step_seconds = run.step_seconds();
    found.tokens = run.tokens();
  }
  return found;
}

}  // namespace ocellus::benchmark
