// How long others' work keeps a running answer waiting.
#pragma once

#include <chrono>
#include <cstdint>

#include "models/family.h"
#include "ocellus/error.h"

namespace ocellus::benchmark {

struct InterferenceOptions {
  std::chrono::milliseconds slice{100};
  std::int64_t prompt_tokens = 3000;            // of another request that comes
  int photo_width = 4000, photo_height = 3000;  // of a third one's photo
};

struct Interference {
  std::int64_t tokens = 0;      // of the running answer, while the others were served
  double step_seconds = 0;      // a token of it alone
  double sliced_seconds = 0;    // its longest wait for a token
  double unsliced_seconds = 0;  // the same where every piece of work is done in one go
};

// One answer is running when a photo and a long prompt of others arrive at the same time: they are
// served as the vision worker serves them (decoding as a job, tower and prompt in slices, in
// turns), and then once more each in one go. Errors of the engine; kContextFull for a model whose
// context is too short.
Result<Interference> measure_interference(const models::Model& model,
                                          const InterferenceOptions& options);

}  // namespace ocellus::benchmark
