// Attention beside the machine's limits, measured in the same run: prints one JSON object a line.
//
//   attention_bench [threads [seconds [part of the names]]]
//
// With one thread the clock is the process's own time on the core, so that a machine which is busy
// with other work still gives figures of compute-bound parts.
#include <immintrin.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/aligned_buffer.h"
#include "compute/cpu/cpu_backend.h"

namespace {

namespace compute = ocellus::compute;
using compute::Arithmetic;
using compute::DType;

bool g_own_time = false;

double now() {
  timespec time{};
  clock_gettime(g_own_time ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double best_time(double budget, const std::function<void()>& body) {
  double best = 1e30, spent = 0;
  for (int run = 0; run < 3 || spent < budget; ++run) {
    const double begin = now();
    body();
    const double s = now() - begin;
    best = std::min(best, s);
    spent += s;
  }
  return best;
}

void on_all(int threads, const std::function<void(int)>& body) {
  std::vector<std::jthread> all;
  for (int i = 1; i < threads; ++i) all.emplace_back([&body, i] { body(i); });
  body(0);
}

#define PEAK_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"), noinline))

// Rows an odd number of cache lines apart, as matrices between operations have them.
constexpr std::int64_t kGap = 16;
constexpr std::int64_t kPeakSteps = 200'000;

PEAK_TARGET float f32_steps() {
  __m512 acc[12], x = _mm512_set1_ps(1e-9f);
#pragma GCC unroll 12
  for (int k = 0; k < 12; ++k) acc[k] = _mm512_set1_ps(static_cast<float>(k));
  for (std::int64_t i = 0; i < kPeakSteps; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < 12; ++k) acc[k] = _mm512_fmadd_ps(x, x, acc[k]);
  }
#pragma GCC unroll 12
  for (int k = 0; k < 12; ++k) x = _mm512_add_ps(x, acc[k]);
  return _mm512_cvtss_f32(x);
}

PEAK_TARGET float bf16_steps() {
  __m512 acc[12], sum = _mm512_setzero_ps();
  const auto x = __m512bh(_mm512_set1_epi32(0x30003000));
#pragma GCC unroll 12
  for (int k = 0; k < 12; ++k) acc[k] = _mm512_set1_ps(static_cast<float>(k));
  for (std::int64_t i = 0; i < kPeakSteps; ++i) {
#pragma GCC unroll 12
    for (int k = 0; k < 12; ++k) acc[k] = _mm512_dpbf16_ps(acc[k], x, x);
  }
#pragma GCC unroll 12
  for (int k = 0; k < 12; ++k) sum = _mm512_add_ps(sum, acc[k]);
  return _mm512_cvtss_f32(sum);
}

struct Limits {
  double f32 = 0, bf16 = 0, read = 0;  // GFLOP/s, GFLOP/s, GB/s
};

Limits measure_limits(int threads, double seconds) {
  Limits limits;
  volatile float sink = 0;
  const double steps = 2.0 * 12 * 16 * static_cast<double>(kPeakSteps) * threads / 1e9;
  if (__builtin_cpu_supports("avx512f")) {
    limits.f32 =
        steps / best_time(seconds, [&] { on_all(threads, [&](int) { sink = f32_steps(); }); });
  }
  if (__builtin_cpu_supports("avx512bf16")) {
    limits.bf16 =
        2 * steps / best_time(seconds, [&] { on_all(threads, [&](int) { sink = bf16_steps(); }); });
  }
  auto memory = ocellus::base::AlignedBuffer::make(std::size_t{1} << 29);
  if (!memory) return limits;
  std::fill_n(memory->data(), memory->size(), std::byte{1});
  const std::size_t part = memory->size() / 8 / static_cast<std::size_t>(threads) / 8 * 8;
  limits.read = static_cast<double>(part * 8) * threads / 1e9 / best_time(seconds, [&] {
                  on_all(threads, [&](int thread) {
                    const auto* words = reinterpret_cast<const std::uint64_t*>(memory->data()) +
                                        part * static_cast<std::size_t>(thread);
                    std::uint64_t lanes[8] = {};
                    for (std::size_t i = 0; i < part; i += 8) {
                      for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] ^= words[i + lane];
                    }
                    sink = static_cast<float>(lanes[0] ^ lanes[1] ^ lanes[2] ^ lanes[3] ^ lanes[4] ^
                                              lanes[5] ^ lanes[6] ^ lanes[7]);
                  });
                });
  return limits;
}

std::vector<float> values(std::int64_t n) {
  std::vector<float> all(static_cast<std::size_t>(n));
  std::uint32_t state = 1;
  for (float& x : all) {
    state = state * 1664525u + 1013904223u;
    x = static_cast<float>(state >> 8) * 0x1p-23f - 1.0f;
  }
  return all;
}

std::string g_wanted;

bool wanted(const std::string& name) { return name.find(g_wanted) != std::string::npos; }

void report(const std::string& name, double amount, const char* unit, double limit,
            double seconds) {
  std::printf("{\"name\": \"%s\", \"ms\": %.3f, \"%s\": %.1f, \"share\": %.3f}\n", name.c_str(),
              seconds * 1e3, unit, amount / seconds / 1e9, amount / seconds / 1e9 / limit);
  std::fflush(stdout);
}

class Bench {
 public:
  Bench(int threads, double seconds)
      : threads_(threads),
        seconds_(seconds),
        backend_(*compute::cpu::make_cpu_backend({.threads = threads})),
        workspace_(backend_->make_workspace()),
        limits_(measure_limits(threads, seconds)) {
    std::printf(
        "{\"machine\": \"%s\", \"f32_gflops\": %.1f, \"bf16_gflops\": %.1f, \"read_gbs\": %.1f}\n",
        backend_->describe().c_str(), limits_.f32, limits_.bf16, limits_.read);
  }

  void tower(Arithmetic arithmetic) {
    const std::int64_t rows = 577, heads = 16, dim = 64, width = heads * dim, apart = width + kGap;
    const std::vector<float> x = values(rows * apart);
    std::vector<float> out(x.size());
    const compute::ConstMatrix q(x.data(), rows, width, apart);
    const compute::AttentionShape shape{heads, heads, dim, 0.125f, 0, arithmetic};
    const std::string what = "tower 577 x 16 x 64, " + name(arithmetic);
    if (!wanted(what)) return;
    report(
        what, 4.0 * rows * rows * width, "gflops", limit(arithmetic), best_time(seconds_, [&] {
          (void)backend_->attention(shape, q, q, q, {out.data(), rows, width, apart}, *workspace_);
        }));
  }

  void prefill(std::int64_t rows, std::int64_t kv_heads, DType dtype, Arithmetic arithmetic) {
    const std::int64_t heads = 32, dim = 128, width = heads * dim, apart = width + kGap;
    const std::string what = std::to_string(rows) + " x 32/" + std::to_string(kv_heads) +
                             " x 128, " + std::string(ocellus::tensor::dtype_name(dtype));
    if (!wanted("kv_store prefill " + what + ", " + name(arithmetic))) return;
    const std::vector<float> x = values(rows * apart);
    std::vector<float> out(x.size());
    const compute::ConstMatrix q(x.data(), rows, width, apart),
        k(x.data(), rows, kv_heads * dim, apart);
    const compute::KvGeometry geometry{1, kv_heads, dim, 64, dtype};
    const auto blocks = take_blocks(geometry, rows);
    const compute::SequenceRows sequence{0, rows, 0, blocks};
    const double bytes = 4.0 * static_cast<double>(2 * rows * kv_heads * dim);
    report("kv_store " + what, bytes, "read_gbs", limits_.read, best_time(seconds_, [&] {
             (void)backend_->kv_store({geometry, 0}, {&sequence, 1}, k, k);
           }));
    const compute::AttentionShape shape{heads, kv_heads, dim, 0.088f, 0, arithmetic};
    report("prefill " + what + ", " + name(arithmetic),
           2.0 * static_cast<double>(rows * (rows + 1) * width), "gflops", limit(arithmetic),
           best_time(seconds_, [&] {
             (void)backend_->causal_attention(shape, {geometry, 0}, {&sequence, 1}, q,
                                              {out.data(), rows, width, apart}, *workspace_);
           }));
    memory_.clear();
  }

  // One new token for each of 8 streams, all in one step or one after the other.
  void decode(std::int64_t length, std::int64_t kv_heads, DType dtype) {
    const std::int64_t heads = 32, dim = 128, width = heads * dim, streams = 8;
    const std::string what = " of " + std::to_string(length) + " x 32/" + std::to_string(kv_heads) +
                             " x 128, " + std::string(ocellus::tensor::dtype_name(dtype));
    if (!wanted("decode" + what)) return;
    const std::vector<float> x = values(length * kv_heads * dim), q = values(streams * width);
    std::vector<float> out(q.size());
    const compute::KvGeometry geometry{1, kv_heads, dim, 64, dtype};
    std::vector<std::vector<std::byte*>> blocks;
    std::vector<compute::SequenceRows> sequences;
    for (std::int64_t i = 0; i < streams; ++i) blocks.push_back(take_blocks(geometry, length));
    for (std::int64_t i = 0; i < streams; ++i) {
      const auto& own = blocks[static_cast<std::size_t>(i)];
      const compute::SequenceRows whole{0, length, 0, own};
      const compute::ConstMatrix k(x.data(), length, kv_heads * dim, kv_heads * dim);
      (void)backend_->kv_store({geometry, 0}, {&whole, 1}, k, k);
      sequences.push_back({i, 1, length - 1, own, true});
    }
    const compute::AttentionShape shape{heads, kv_heads, dim, 0.088f};
    const double bytes = static_cast<double>(*backend_->kv_block_bytes(geometry)) * length / 64;
    const compute::ConstMatrix queries(q.data(), streams, width, width);
    const compute::Matrix y{out.data(), streams, width, width};
    report("decode 8 streams" + what, bytes * streams, "gbs", limits_.read,
           best_time(seconds_, [&] {
             (void)backend_->causal_attention(shape, {geometry, 0}, sequences, queries, y,
                                              *workspace_);
           }));
    report("decode 1 stream" + what, bytes, "gbs", limits_.read,
           best_time(seconds_, [&] {
             for (const auto& sequence : sequences) {
               (void)backend_->causal_attention(shape, {geometry, 0}, {&sequence, 1}, queries, y,
                                                *workspace_);
             }
           }) / streams);
    memory_.clear();
  }

 private:
  static std::string name(Arithmetic arithmetic) {
    return arithmetic == Arithmetic::kReducedPrecision ? "fast" : "exact";
  }
  double limit(Arithmetic arithmetic) const {
    return arithmetic == Arithmetic::kReducedPrecision ? limits_.bf16 : limits_.f32;
  }
  // One piece of memory: large pages, as the blocks of a whole model are large.
  std::vector<std::byte*> take_blocks(const compute::KvGeometry& geometry, std::int64_t length) {
    std::vector<std::byte*> blocks;
    const std::size_t bytes = *backend_->kv_block_bytes(geometry),
                      count = static_cast<std::size_t>((length + 63) / 64);
    memory_.push_back(*ocellus::base::AlignedBuffer::make(count * bytes));
    for (std::size_t i = 0; i < count; ++i) blocks.push_back(memory_.back().data() + i * bytes);
    return blocks;
  }

  int threads_;
  double seconds_;
  std::shared_ptr<const compute::Backend> backend_;
  std::unique_ptr<compute::Workspace> workspace_;
  Limits limits_;
  std::vector<ocellus::base::AlignedBuffer> memory_;
};

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : compute::cpu::make_cpu_backend({}) ? 2 : 1;
  g_own_time = threads == 1;
  if (argc > 3) g_wanted = argv[3];
  Bench bench(threads, argc > 2 ? std::atof(argv[2]) : 0.5);
  for (const Arithmetic arithmetic : {Arithmetic::kReducedPrecision, Arithmetic::kF32}) {
    bench.tower(arithmetic);
    bench.prefill(512, 32, DType::kF16, arithmetic);
  }
  bench.prefill(512, 8, DType::kF16, Arithmetic::kReducedPrecision);
  bench.prefill(512, 32, DType::kQ8_0, Arithmetic::kReducedPrecision);
  bench.prefill(512, 32, DType::kF32, Arithmetic::kReducedPrecision);
  bench.prefill(4096, 32, DType::kF16, Arithmetic::kReducedPrecision);
  for (const std::int64_t length : {4096, 1024, 512}) {
    for (const DType dtype : {DType::kF32, DType::kF16, DType::kQ8_0})
      bench.decode(length, 32, dtype);
    bench.decode(length, 8, DType::kF16);
    bench.decode(length, 8, DType::kQ8_0);
  }
}
