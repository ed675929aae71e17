#include "cli/bench_report.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdio>

#include "benchmark/limits.h"
#include "cli/report.h"

namespace ocellus::cli {
namespace {

namespace json = boost::json;
using benchmark::BenchResult;
using compute::OpProfile;
using compute::cpu::Peaks;
using compute::cpu::Rate;

struct NamedRate {
  const char* key;
  const char* text;
  Rate rate;
  const char* unit;
};

std::vector<NamedRate> rates_of(const Peaks& peaks) {
  return {{"f32", "f32 multiply-adds", peaks.f32, "GFLOP/s"},
          {"bf16", "bf16 products", peaks.bf16, "GFLOP/s"},
          {"int8", "int8 products", peaks.int8, "GOP/s"},
          {"read", "reading, huge pages", peaks.read, "GB/s"},
          {"read_small_pages", "reading, small pages", peaks.read_small_pages, "GB/s"}};
}

// What bounds one operation, and the share of it that is used.
struct OpShare {
  double rate = 0;
  const char* unit = "";
  double share = 0;
  std::string_view limit_of;
};

OpShare share_of(const OpProfile& op, const Peaks& peaks) {
  const benchmark::Demand demand = benchmark::demand_of({&op, 1});
  if (op.seconds <= 0 || (op.flops <= 0 && op.bytes <= 0)) return {};
  const benchmark::Limit limit = benchmark::larger_limit(demand, peaks);
  const bool reads = limit.name == "read";
  return {(reads ? op.bytes : op.flops) / op.seconds / 1e9, reads ? "GB/s" : "GFLOP/s",
          limit.seconds / op.seconds, limit.name};
}

std::vector<OpProfile> by_time(const BenchResult& result) {
  std::vector<OpProfile> operations = result.operations;
  std::ranges::stable_sort(operations, std::greater<>(), &OpProfile::seconds);
  return operations;
}

double op_seconds(const BenchResult& result) {
  double sum = 0;
  for (const OpProfile& op : result.operations) sum += op.seconds;
  return sum;
}

std::string shape_of(const OpProfile& op) {
  return op.in > 0 ? fmt::format("{} x {}", op.out, op.in) : std::to_string(op.out);
}

std::string profile_text(const BenchResult& result) {
  std::string text = fmt::format(
      "\n{} {}, {} token{}{}: {:.1f} ms\n"
      "  {:17} {:7} {:14} {:>6} {:>10} {:>7} {:>15} {:>14}\n",
      result.work, result.weights, result.tokens, result.tokens == 1 ? "" : "s",
      result.streams > 1 ? fmt::format(" x {}", result.streams) : "", 1e3 * result.run_seconds,
      "operation", "type", "shape", "calls", "ms", "share", "rate", "of its limit");
  const auto line = [&](std::string_view name, std::string_view type, std::string_view shape,
                        std::int64_t calls, double seconds) {
    return fmt::format("  {:17} {:7} {:14} {:6} {:10.2f} {:5.1f} %", name, type, shape, calls,
                       1e3 * seconds, 100 * seconds / result.run_seconds);
  };
  for (const OpProfile& op : by_time(result)) {
    text +=
        line(op_name(op.kind), tensor::dtype_name(op.dtype), shape_of(op), op.calls, op.seconds);
    if (const OpShare share = share_of(op, result.peaks); share.rate > 0) {
      text += fmt::format(" {:7.1f} {:7} {:5.1f} % of {}", share.rate, share.unit,
                          100 * share.share, share.limit_of);
    }
    text += "\n";
  }
  const double rest = std::max(0.0, result.run_seconds - op_seconds(result));
  return text + line("between them", "", "", 1, rest) + "\n";
}

json::array profile_json(const BenchResult& result) {
  json::array operations;
  for (const OpProfile& op : by_time(result)) {
    const OpShare share = share_of(op, result.peaks);
    json::object object = {{"operation", op_name(op.kind)},
                           {"type", tensor::dtype_name(op.dtype)},
                           {"out", op.out},
                           {"in", op.in},
                           {"calls", op.calls},
                           {"rows", op.rows},
                           {"seconds", op.seconds},
                           {"share_of_run", op.seconds / result.run_seconds},
                           {"flops", op.flops},
                           {"bytes", op.bytes}};
    if (share.rate > 0) {
      object["limit_of"] = share.limit_of;
      object["share_of_limit"] = share.share;
    }
    operations.push_back(std::move(object));
  }
  return operations;
}

std::string model_text(const benchmark::ModelReport& model) {
  std::string text = fmt::format("\n{}, {} layers, {} of weights", model.name, model.layers,
                                 human_bytes(static_cast<double>(model.weight_bytes)));
  if (model.from_layers > 0) {
    text =
        fmt::format("\n{}, {} layers, scaled from {} with {} of weights", model.name, model.layers,
                    model.from_layers, human_bytes(static_cast<double>(model.weight_bytes)));
  }
  return text;
}

json::object result_json(const BenchResult& result, bool profile) {
  json::object object = {
      {"work", result.work},       {"weights", result.weights},   {"tokens", result.tokens},
      {"streams", result.streams}, {"value", result.value},       {"unit", result.unit},
      {"limit", result.limit},     {"limit_of", result.limit_of}, {"share", result.share()}};
  if (result.before > 0) object["before"] = result.before;
  if (result.from_layers > 0) object["scaled_from_layers"] = result.from_layers;
  if (profile && !result.operations.empty()) object["profile"] = profile_json(result);
  return object;
}

}  // namespace

std::string to_text(const BenchReport& report, bool profile) {
  std::string text = report.machine + "\n\npeaks                     one thread  all threads\n";
  for (const NamedRate& named : rates_of(report.peaks)) {
    if (named.rate.all > 0) {
      text += fmt::format("  {:21} {:12.1f} {:12.1f}  {}\n", named.text, named.rate.one,
                          named.rate.all, named.unit);
    } else {
      text += fmt::format("  {:21} {:>12} {:>12}\n", named.text, "none", "none");
    }
  }
  if (report.model) text += model_text(*report.model) + "\n";
  text += fmt::format("\n{:12} {:7} {:>6} {:>7} {:>11}  {:8} {:>9} {:>5} {:>6}\n", "work",
                      "weights", "tokens", "streams", "value", "", "limit", "of", "share");
  const auto number = [](double value) {
    return value < 10 ? fmt::format("{:.3f}", value) : fmt::format("{:.1f}", value);
  };
  for (const BenchResult& r : report.results) {
    text += fmt::format("{:12} {:7} {:6} {:7} {:>11}  {:8} {:>9} {:>5} {:4.0f} %\n", r.work,
                        r.weights, r.tokens, r.streams, number(r.value), r.unit, number(r.limit),
                        r.limit_of, 100 * r.share());
  }
  for (const BenchResult& r : report.results) {
    if (r.before > 0)
      text +=
          fmt::format("{}: {} {} {}\n", r.work, number(r.before), r.unit,
                      r.work == "repeat" ? "the first time" : "where nothing is cut into slices");
  }
  text +=
      fmt::format("\npeak memory {}\n", human_bytes(static_cast<double>(report.peak_rss_bytes)));
  for (const BenchResult& r : report.results) {
    if (profile && !r.operations.empty()) text += profile_text(r);
  }
  return text;
}

json::value to_json(const BenchReport& report, bool profile) {
  json::object peaks;
  for (const NamedRate& named : rates_of(report.peaks)) {
    const std::string key(named.key);
    const bool there = named.rate.all > 0;
    peaks[key + "_one"] = there ? json::value(named.rate.one) : json::value();
    peaks[key + "_all"] = there ? json::value(named.rate.all) : json::value();
  }
  json::array results;
  for (const BenchResult& result : report.results) results.push_back(result_json(result, profile));
  json::object object = {{"machine", report.machine}, {"peaks", std::move(peaks)}};
  if (report.model) {
    json::object model = {{"name", report.model->name},
                          {"layers", report.model->layers},
                          {"weight_bytes", report.model->weight_bytes}};
    if (report.model->from_layers > 0) model["scaled_from_layers"] = report.model->from_layers;
    object["model"] = std::move(model);
  }
  object["results"] = std::move(results);
  object["peak_rss_bytes"] = report.peak_rss_bytes;
  return object;
}

benchmark::OnStage stage_line() {
  if (::isatty(STDERR_FILENO) == 0) return {};
  return [](std::string_view stage) {
    std::fprintf(stderr, "\r\x1b[K%.*s", static_cast<int>(stage.size()), stage.data());
    std::fflush(stderr);
  };
}

std::size_t peak_memory() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace ocellus::cli
