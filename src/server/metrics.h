// What the server counts, in Prometheus' text format.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "ocellus/answer.h"

namespace ocellus::server {

// Any thread. Labels are names of served models and words of ours only: their number is bounded.
class Metrics {
 public:
  Metrics();
  ~Metrics();

  // One answer, in whatever dialect.
  void answered(std::string_view model, const AnswerStats& stats);
  void refused(std::string_view reason);  // a code: "queue_full"
  void responded(unsigned status);
  // Admitted, and no longer: `running` once its prompt is being read, before that waiting.
  void running(std::string_view model, int change);
  void waiting(std::string_view model, int change);
  void connections(int change);

  std::string text() const;  // text/plain; version=0.0.4

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ocellus::server
