// Options that several subcommands share: which model, how it is loaded, how it is asked.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "ocellus/ocellus.h"

namespace ocellus::cli {

struct ModelFlags {
  std::string model;  // empty: the demo model
  std::string mmproj;
  std::string dtype = "auto";
  std::string tower_dtype = "auto";
  std::string kv = "auto";
  std::string preprocess = "model";
  std::int64_t max_tiles = 0;
  std::string image_tokens;  // "[MIN:]MAX" or "model"; empty: the usual
  std::string prompt_template;
  std::vector<std::string> allow_hosts;
  double connect_timeout = 3, download_timeout = 15;  // seconds
  std::int64_t context_tokens = 0;
  int threads = 0;
  std::size_t prefix_cache = ModelOptions().prefix_cache_bytes;
  bool no_kv_cache = false;
  bool no_speculation = false;
  bool sample_instead = false;

  void add_to(CLI::App& command);
  // Only what says which model it is and what it makes of pictures, and only all the rest.
  void add_files_to(CLI::App& command);
  void add_settings_to(CLI::App& command);
  // Without progress. kModelNotFound when no model is given and no demo model can be found.
  Result<ModelOptions> options() const;
};

struct SamplingFlags {
  std::optional<std::int64_t> max_tokens;
  std::optional<float> temperature, top_p, min_p, typical_p, repetition_penalty;
  std::optional<std::int64_t> top_k;
  std::optional<std::uint64_t> seed;  // without one each answer has its own
  std::vector<std::string> stop;
  float presence_penalty = 0, frequency_penalty = 0;
  std::vector<std::string> logit_bias;  // ID=BIAS
  std::int64_t min_tokens = 0;
  bool ignore_eos = false;
  std::string thinking;            // "on" or "off"; empty: as the template
  std::string json_schema, regex;  // a schema or the file that holds it
  bool json_object = false;
  std::vector<std::string> choices;
  double deadline_seconds = 0;  // 0: none

  void add_to(CLI::App& command);
  Result<AskOptions> options() const;

 private:
  Result<ResponseFormat> response_format() const;
};

// What --weights takes: "auto", "f32" ...
std::vector<std::string> weight_names();
// For names of weight types: in any case of letters; one of a mixture, such as Q4_K_M, is its main
// type.
CLI::Validator weight_type_in(std::vector<std::string> names);

// What --tower-weights auto comes to beside `weights`. Plain floats are said for the whole model;
// block types for the language model, beside which the tower is better kept in bf16.
std::string tower_weights_for(const std::string& weights, const std::string& tower_weights);

// Where the demo model is: OCELLUS_MODEL, beside the executable's source tree, or in its install
// tree.
Result<std::string> find_default_model();

}  // namespace ocellus::cli
