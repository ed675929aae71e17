// What a whole model does in a second: its tower, its prompts, its tokens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "benchmark/limits.h"
#include "benchmark/result.h"
#include "compute/backend.h"
#include "models/parts/weight_loader.h"
#include "ocellus/error.h"

namespace ocellus::benchmark {

// A model on disk, or one of random_model_names().
struct ModelSource {
  std::string random = {};
  std::filesystem::path path = {}, mmproj = {};
  // How matrices are held. A model on disk: nothing means as stored. A random one is made of
  // blocks of these types, or of f16 that is rounded to them while loading where no file has them;
  // nothing means q8_0 for the language model, and for the tower its type where that is plain, bf16
  // where it is not.
  std::optional<tensor::DType> weights = {}, tower_weights = {};
  std::int64_t layers = 0;  // of a random language model; 0: all
};

struct ModelBenchOptions {
  std::vector<std::string> work;             // of model_works()
  std::vector<std::int64_t> tokens = {512};  // lengths of the prompts of "prefill"
  std::int64_t context = 512;                // positions before the token of "decode" and "batch"
  std::int64_t streams = 8;                  // of "batch"
  std::optional<tensor::DType> kv = {};      // as EngineOptions::kv_type
  Effort effort;
  models::Progress load_progress;
  OnStage on_stage;
};

// "load": the model made ready from its source. "tower": tower and projector, one picture.
// "prefill": a prompt, to the logits of its last token. "decode": one token of one stream.
// "batch": one step of several. "first_token": a picture and 16 tokens, to the first token chosen.
// "load" is measured once, the others several times.
std::vector<std::string> model_works();
// Those, and what is measured only where it is asked for, never scaled from fewer layers.
// "repeat" (repeat.h): a picture that was asked about before and 16 other tokens, to the first
// token chosen; `before` is the time of the first question. "interference" (interference.h): the
// longest that a running answer waits for a token while others' work comes, in ms; its limit is a
// slice and a step. Once.
std::vector<std::string> all_model_works();

struct ModelReport {
  std::string name;
  std::int64_t layers = 0;       // of the language model
  std::int64_t from_layers = 0;  // not 0: results are scaled from so many of them
  std::size_t weight_bytes = 0;  // held, of what was loaded
  std::vector<BenchResult> results;
};

// Results in the order of model_works(). Whatever is measured is measured with few layers as with
// all: a layer's time is taken times their number, what comes once (embedding, last layer) once.
// kInvalidArgument for a name, number or pair of options that is invalid; errors of loading;
// kUnsupported for a cache that the backend cannot keep; kOutOfMemory.
Result<ModelReport> run_model(const compute::Backend& backend, PeaksAround& peaks,
                              const ModelSource& source, const ModelBenchOptions& options);

}  // namespace ocellus::benchmark
