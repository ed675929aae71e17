// Which of the likely tokens a draw is among. Reference: the warpers of transformers 5,
// generation/logits_process.py, in the order of its generation/utils.py: temperature, top-h, top-k,
// top-p, min-p, typical-p, epsilon, eta; each sees what the one before it left.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/sampling_options.h"

namespace ocellus::engine {

// Holds its buffers between tokens. One thread.
class Candidates {
 public:
  struct Candidate {
    float logit = 0;
    std::int32_t id = 0;
  };

  // The tokens with a finite logit that the options leave, at least one. `options.temperature` is
  // above 0.
  void select(std::span<const float> logits, const SamplingOptions& options);
  // Likeliest first, the lowest id among equals.
  std::span<const Candidate> all() const { return candidates_; }
  // Of each of them, relative to the first one's.
  std::span<const double> weights() const { return weights_; }
  double total() const;  // of the weights, added in their order

 private:
  void keep_likeliest(std::int64_t count);
  void sort(float temperature);
  double entropy() const;
  void keep_first(std::size_t count);
  void keep_above(double limit);
  void apply_top_h(double share);
  void apply_top_p(double share);
  void apply_typical_p(double mass);
  void apply_epsilon(double epsilon);
  void apply_eta(double epsilon);

  std::vector<Candidate> candidates_;
  std::vector<double> weights_;
};

}  // namespace ocellus::engine
