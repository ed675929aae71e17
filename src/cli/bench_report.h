// The report of `ocellus bench`, as a table and as JSON.
#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "benchmark/model.h"
#include "benchmark/result.h"
#include "compute/cpu/peaks.h"

namespace ocellus::cli {

struct BenchReport {
  std::string machine;
  compute::cpu::Peaks peaks;
  std::optional<benchmark::ModelReport> model;  // its results stand below
  std::vector<benchmark::BenchResult> results;
  std::size_t peak_rss_bytes = 0;  // without the memory that the peaks were measured on
};

// With `profile`, the operations of each result too.
std::string to_text(const BenchReport& report, bool profile);
boost::json::value to_json(const BenchReport& report, bool profile);

// A line on a terminal that is written over and, for an empty text, wiped; null where stderr is a
// file.
benchmark::OnStage stage_line();

// The most memory that this process has had at once, in bytes.
std::size_t peak_memory();

}  // namespace ocellus::cli
