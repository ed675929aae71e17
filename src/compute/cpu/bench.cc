#include "compute/cpu/bench.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#include "base/aligned_buffer.h"
#include "base/result.h"
#include "compute/cpu/kernels.h"
#include "compute/cpu/thread_pool.h"

namespace ocellus::compute::cpu {
namespace {

using Clock = std::chrono::steady_clock;

// The shortest time of one call, in seconds, over at least three calls and `budget` seconds.
double best_time(double budget, const std::function<void()>& body) {
  double best = 1e30, spent = 0;
  for (int run = 0; run < 3 || spent < budget; ++run) {
    const auto begin = Clock::now();
    body();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::min(best, seconds);
    spent += seconds;
  }
  return best;
}

// The register tile on operands that never leave the L1: what the arithmetic alone can give.
double peak_fma(const Kernels& kernels, ThreadPool& pool, int threads, double budget) {
  constexpr std::int64_t kDepth = 64, kRepeats = 20'000;
  const int rows = kernels.tile_rows;
  const double seconds = best_time(budget, [&] {
    pool.run(threads, [&](std::int64_t, int) {
      alignas(64) float a[kDepth * kMaxTileRows] = {}, b[kDepth * kPanel] = {},
                                   c[kMaxTileRows * kPanel] = {};
      for (std::int64_t i = 0; i < kRepeats; ++i)
        kernels.tile(a, rows, Element::kF32, b, kDepth, true, c);
    });
  });
  return 2.0 * static_cast<double>(kDepth * kRepeats * rows * kPanel * threads) / seconds / 1e9;
}

double read_bandwidth(ThreadPool& pool, int threads, std::span<const std::byte> memory,
                      double budget) {
  const std::size_t part = memory.size() / static_cast<std::size_t>(threads) / 512 * 512;
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads) * 8);
  const double seconds = best_time(budget, [&] {
    pool.run(threads, [&](std::int64_t task, int) {
      const auto* words = reinterpret_cast<const std::uint64_t*>(
          memory.data() + static_cast<std::size_t>(task) * part);
      std::uint64_t lanes[8] = {};
      for (std::size_t i = 0; i < part / 8; i += 8) {
        for (int lane = 0; lane < 8; ++lane)
          lanes[lane] ^= words[i + static_cast<std::size_t>(lane)];
      }
      for (const std::uint64_t lane : lanes) sums[static_cast<std::size_t>(task) * 8] ^= lane;
    });
  });
  return static_cast<double>(part) * threads / seconds / 1e9;
}

const Kernels& kernels_of(const Backend& backend) {
  const std::string name = backend.describe();
  if (const Kernels* k = avx512_kernels(); k != nullptr && name.find(k->name) != std::string::npos)
    return *k;
  if (const Kernels* k = avx2_kernels(); k != nullptr && name.find(k->name) != std::string::npos)
    return *k;
  return scalar_kernels();
}

}  // namespace

Result<BenchReport> run_bench(const BenchOptions& options) {
  OCELLUS_ASSIGN_OR_RETURN(const std::shared_ptr<const Backend> backend,
                           make_cpu_backend(options.cpu));
  const int threads = options.cpu.threads == 0 ? usable_cores() : options.cpu.threads;
  OCELLUS_ASSIGN_OR_RETURN(const std::unique_ptr<ThreadPool> pool, ThreadPool::create(threads));
  const Kernels& kernels = kernels_of(*backend);
  BenchReport report;
  report.machine = backend->describe();
  report.fma_one = peak_fma(kernels, *pool, 1, options.seconds);
  report.fma_all = peak_fma(kernels, *pool, threads, options.seconds);
  {
    constexpr std::size_t kBytes = std::size_t{1} << 30;
    OCELLUS_ASSIGN_OR_RETURN(base::AlignedBuffer memory, base::AlignedBuffer::make(kBytes));
    std::memset(memory.data(), 1, memory.size());
    report.read_one = read_bandwidth(*pool, 1, memory.bytes(), options.seconds);
    report.read_all = read_bandwidth(*pool, threads, memory.bytes(), options.seconds);
  }
  const std::unique_ptr<Workspace> workspace = backend->make_workspace();
  std::vector<float> source(static_cast<std::size_t>(options.out * options.in));
  for (std::size_t i = 0; i < source.size(); ++i)
    source[i] = static_cast<float>(i % 251) * 0.01f - 1.25f;
  std::vector<float> x(static_cast<std::size_t>(options.tokens * options.in), 0.5f),
      y(static_cast<std::size_t>(options.tokens * options.out));
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                            DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ2_K, DType::kQ3_K,
                            DType::kQ4_K, DType::kQ5_K, DType::kQ6_K}) {
    const auto values = static_cast<std::int64_t>(tensor::block_values(dtype));
    if (options.in % values != 0) continue;
    // Block types come as they are: any bytes are blocks, and these are ordinary numbers.
    std::vector<std::byte> blocks;
    if (tensor::is_quantized(dtype)) {
      blocks.assign(
          static_cast<std::size_t>(options.out * options.in / values) * tensor::block_bytes(dtype),
          std::byte{0x2C});
    }
    const tensor::Shape shape{options.out, options.in};
    const tensor::TensorView stored =
        blocks.empty() ? tensor::TensorView{DType::kF32, shape, std::as_bytes(std::span(source))}
                       : tensor::TensorView{dtype, shape, blocks};
    // Several copies, so that a decode step finds none of them in the caches, as it would in a
    // model.
    std::vector<std::unique_ptr<Weight>> copies;
    for (int i = 0; i < 6; ++i) {
      OCELLUS_ASSIGN_OR_RETURN(auto weight, backend->make_weight(stored, dtype));
      copies.push_back(std::move(weight));
    }
    for (const std::int64_t tokens : {options.tokens, std::int64_t{1}}) {
      Status status;
      const double seconds =
          best_time(options.seconds,
                    [&] {
                      for (const auto& weight : copies) {
                        status = backend->linear(
                            *weight, {x.data(), tokens, options.in, options.in}, {},
                            {y.data(), tokens, options.out, options.out}, *workspace);
                      }
                    }) /
          static_cast<double>(copies.size());
      OCELLUS_RETURN_IF_ERROR(status);
      const double flops = 2.0 * static_cast<double>(tokens * options.out * options.in);
      const std::string name(tensor::dtype_name(dtype));
      if (tokens > 1) {
        report.results.push_back(
            {"prefill", name, tokens, flops / seconds / 1e9, "GFLOP/s", report.fma_all});
      } else {
        report.results.push_back({"decode", name, 1,
                                  static_cast<double>(copies[0]->bytes()) / seconds / 1e9, "GB/s",
                                  report.read_all});
      }
    }
  }
  return report;
}

}  // namespace ocellus::compute::cpu
