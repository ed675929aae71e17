// ocellus bench: what the machine can do, and how much of that is used.
#include "compute/cpu/bench.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdlib>
#include <memory>

#include "base/result.h"
#include "cli/commands.h"
#include "cli/report.h"

namespace ocellus::cli {
namespace {

struct BenchCommand {
  compute::cpu::BenchOptions options;
  bool json = false;

  Status run() const;
};

Status BenchCommand::run() const {
  compute::cpu::BenchOptions chosen = options;
  if (const char* name = std::getenv("OCELLUS_ISA"); name != nullptr) {
    chosen.cpu.isa = compute::cpu::parse_isa(name).value_or(compute::cpu::Isa::kAuto);
  }
  OCELLUS_ASSIGN_OR_RETURN(const compute::cpu::BenchReport report, compute::cpu::run_bench(chosen));
  if (json) {
    boost::json::array results;
    for (const auto& r : report.results) {
      results.push_back({{"work", r.work},
                         {"weights", r.weights},
                         {"tokens", r.tokens},
                         {"streams", 1},
                         {"value", r.value},
                         {"unit", r.unit},
                         {"limit", r.limit},
                         {"share", r.share()}});
    }
    print_json({{"machine", report.machine},
                {"peaks",
                 {{"f32_one", report.fma_one},
                  {"f32_all", report.fma_all},
                  {"read_one", report.read_one},
                  {"read_all", report.read_all}}},
                {"results", std::move(results)}});
    return {};
  }
  print(fmt::format(
      "{}\n\npeaks                 one thread  all threads\n  f32 multiply-add {:12.0f} {:12.0f}  "
      "GFLOP/s\n  reading memory   {:12.1f} {:12.1f}  GB/s\n\n"
      "work      weights  tokens        value  unit      share of the limit\n",
      report.machine, report.fma_one, report.fma_all, report.read_one, report.read_all));
  for (const auto& r : report.results) {
    print(fmt::format("{:9} {:7} {:7} {:12.1f}  {:9} {:5.1f} %\n", r.work, r.weights, r.tokens,
                      r.value, r.unit, 100 * r.share()));
  }
  return {};
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "bench", "Measure the machine's limits and the share of them that is used");
  auto flags = std::make_shared<BenchCommand>();
  command
      ->add_option("--threads", flags->options.cpu.threads, "Compute threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  command->add_option("--tokens", flags->options.tokens, "Rows of the large product")
      ->check(CLI::Range(2, 4096));
  command->add_option("--out", flags->options.out, "Rows of the weight")
      ->check(CLI::Range(1, 65536));
  command->add_option("--in", flags->options.in, "Columns of the weight")
      ->check(CLI::Range(1, 65536));
  command->add_option("--seconds", flags->options.seconds, "Time for each figure")
      ->check(CLI::Range(0.01, 60.0));
  command->add_flag("--json", flags->json, "One JSON object");
  command->callback([flags, &action] {
    action = [flags] {
      const Status status = flags->run();
      return status ? 0 : report(status.error(), flags->json);
    };
  });
}

}  // namespace ocellus::cli
