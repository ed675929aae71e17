// From logits to a token. Semantics and order of transformers' logits processors: repetition
// penalty, temperature, top-k, top-p, min-p; then one draw.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::engine {

struct SamplingOptions {
  float temperature = 0;         // 0: greedy
  float top_p = 1;               // 1: off
  std::int64_t top_k = 0;        // 0: off
  float min_p = 0;               // 0: off
  float repetition_penalty = 1;  // 1: off; over prompt and answer
  std::uint64_t seed = 0;
};

// kInvalidArgument naming the field: NaN and everything outside its range is refused.
Status check(const SamplingOptions& options);

// One session's sampler. The draw of token k depends on the seed and k only, so equal seeds give
// equal answers whatever else is running. One thread.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options) : options_(options) {}

  // `logits` [vocabulary] is overwritten; `history` are the ids so far, for the penalty. Greedy
  // takes the lowest id among equals. kInternal when a logit is NaN or none is finite.
  Result<std::int32_t> sample(std::span<float> logits, std::span<const std::int32_t> history,
                              std::uint64_t k);

 private:
  struct Candidate {
    float logit;
    std::int32_t id;
  };
  Result<std::int32_t> draw(std::span<const float> logits, std::uint64_t k);
  void keep_likeliest();
  double weight(const Candidate& candidate) const;  // relative to the first candidate's

  SamplingOptions options_;
  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace ocellus::engine
