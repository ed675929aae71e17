#include "compute/cpu/peaks.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "base/result.h"
#include "compute/cpu/pool/thread_pool.h"
#include "compute/cpu/topology/cores.h"
#include "compute/cpu/topology/peak_loops.h"

namespace ocellus::compute::cpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kHugePage = std::size_t{2} << 20;
// Long enough that handing out the work does not count, short enough that some run is undisturbed.
constexpr double kRunSeconds = 0.001;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The seconds from the moment at which all threads have begun to that at which the last is done.
// They wait for each other: on a busy machine one thread would else take the other's part too, and
// what all of them do together would not be seen.
template <typename Body>
double run_together(ThreadPool& pool, int threads, Body&& body) {
  constexpr int kSpins = 2000;
  std::atomic<int> arrived = 0;
  Clock::time_point begin;  // written by the last to arrive, read when all are done
  std::vector<Clock::time_point> ends(static_cast<std::size_t>(threads));
  pool.run(threads, [&](std::int64_t task, int) {
    const auto now = Clock::now();
    if (arrived.fetch_add(1) + 1 == threads) begin = now;
    for (int i = 0; arrived.load(std::memory_order_acquire) < threads; ++i) {
      if (i > kSpins) std::this_thread::yield();
    }
    body(static_cast<std::size_t>(task));
    ends[static_cast<std::size_t>(task)] = Clock::now();
  });
  return std::chrono::duration<double>(*std::ranges::max_element(ends) - begin).count();
}

// The shortest of as many runs as fit into `budget` seconds, of one at least.
template <typename Body>
double best_of(double budget, ThreadPool& pool, int threads, Body&& body) {
  const auto begin = Clock::now();
  double best = 1e30;
  for (int run = 0; run < 1 || seconds_since(begin) < budget; ++run)
    best = std::min(best, run_together(pool, threads, body));
  return best;
}

double arithmetic_rate(const PeakLoop& loop, ThreadPool& pool, int threads, double budget) {
  if (loop.run == nullptr) return 0;
  std::int64_t rounds = 16'384;  // a tenth of a millisecond, however disturbed the search is
  while (rounds < (std::int64_t{1} << 40)) {
    const auto begin = Clock::now();
    loop.run(rounds);
    if (seconds_since(begin) > kRunSeconds) break;
    rounds *= 2;
  }
  const double seconds = best_of(budget, pool, threads, [&](std::size_t) { loop.run(rounds); });
  return loop.operations * static_cast<double>(rounds * threads) / seconds / 1e9;
}

double arithmetic_rate(std::span<const PeakLoop> loops, ThreadPool& pool, int threads,
                       double budget) {
  double best = 0;
  for (const PeakLoop& loop : loops)
    best = std::max(best, arithmetic_rate(loop, pool, threads, budget));
  return best;
}

// Anonymous pages, touched, of the kind asked for.
class Pages {
 public:
  Pages() = default;
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() {
    if (mapped_ != nullptr) munmap(mapped_, mapped_bytes_);
  }

  Status map(std::size_t bytes, bool huge) {
    const std::size_t with_slack = bytes + kHugePage;
    void* const memory =
        mmap(nullptr, with_slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
      return base::make_error(ErrorCode::kOutOfMemory, "not enough memory for {} bytes", bytes);
    }
    mapped_ = memory;
    mapped_bytes_ = with_slack;
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    data_ = static_cast<std::byte*>(memory) + (kHugePage - address % kHugePage) % kHugePage;
    bytes_ = bytes;
    // Only advice: where it is not taken, both figures are the same.
    (void)madvise(data_, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    std::memset(data_, 1, bytes);
    return {};
  }

  std::span<const std::byte> bytes() const { return {data_, bytes_}; }

 private:
  void* mapped_ = nullptr;
  std::size_t mapped_bytes_ = 0;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

double read_rate(const PeakLoops& loops, ThreadPool& pool, int threads,
                 std::span<const std::byte> memory, double budget) {
  const std::size_t part = memory.size() / static_cast<std::size_t>(threads) / 4096 * 4096;
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads));
  const double seconds = best_of(budget, pool, threads, [&](std::size_t index) {
    sums[index] = loops.read(memory.data() + index * part, part);
  });
  return static_cast<double>(part) * threads / seconds / 1e9;
}

PeakLoops loops_of_avx512() {
  PeakLoops loops = avx512_peak_loops();
  if (__builtin_cpu_supports("avx512bf16")) loops.bf16 = avx512_bf16_peak_loop();
  if (__builtin_cpu_supports("avx512vnni")) {
    loops.int8[0] = avx512_vnni_peak_loop();
  } else {
    std::ranges::copy(avx2_peak_loops().int8, loops.int8);
  }
  return loops;
}

// What the backend's instruction set brings, and what the machine has beyond it.
PeakLoops loops_of(const Backend& backend) {
  const std::string name = backend.describe();
  if (name.contains("avx512")) return loops_of_avx512();
  if (!name.contains("avx2")) return portable_peak_loops();
  PeakLoops loops = avx2_peak_loops();
  if (name.contains("avxvnni")) loops.int8[0] = avxvnni_peak_loop();
  return loops;
}

class Meter final : public PeakMeter {
 public:
  Meter(const PeakLoops& loops, std::unique_ptr<ThreadPool> pool, std::size_t bytes)
      : loops_(loops),
        pool_(std::move(pool)),
        bytes_((bytes + kHugePage - 1) / kHugePage * kHugePage) {}

  Result<Peaks> measure(double seconds) override {
    Rate small_pages;
    {  // given back before the other memory is taken
      Pages small;
      OCELLUS_RETURN_IF_ERROR(small.map(bytes_, false));
      small_pages = {read_rate(loops_, *pool_, 1, small.bytes(), seconds),
                     read_rate(loops_, *pool_, pool_->threads(), small.bytes(), seconds)};
    }
    OCELLUS_ASSIGN_OR_RETURN(Peaks peaks, measure_again(seconds));
    peaks.f32.one = arithmetic_rate(loops_.f32, *pool_, 1, seconds);
    peaks.bf16.one = arithmetic_rate(loops_.bf16, *pool_, 1, seconds);
    peaks.int8.one = arithmetic_rate(loops_.int8, *pool_, 1, seconds);
    peaks.read.one = read_rate(loops_, *pool_, 1, huge_.bytes(), seconds);
    peaks.read_small_pages = small_pages;
    return peaks;
  }

  Result<Peaks> measure_again(double seconds) override {
    if (huge_.bytes().empty()) OCELLUS_RETURN_IF_ERROR(huge_.map(bytes_, true));
    const int threads = pool_->threads();
    Peaks peaks;
    peaks.f32.all = arithmetic_rate(loops_.f32, *pool_, threads, seconds);
    peaks.bf16.all = arithmetic_rate(loops_.bf16, *pool_, threads, seconds);
    peaks.int8.all = arithmetic_rate(loops_.int8, *pool_, threads, seconds);
    peaks.read.all = read_rate(loops_, *pool_, threads, huge_.bytes(), seconds);
    return peaks;
  }

  std::size_t bytes() const override { return huge_.bytes().size(); }

 private:
  PeakLoops loops_;
  std::unique_ptr<ThreadPool> pool_;
  std::size_t bytes_;
  Pages huge_;
};

Rate better_of(const Rate& a, const Rate& b) {
  return {std::max(a.one, b.one), std::max(a.all, b.all)};
}

}  // namespace

Peaks better_of(const Peaks& a, const Peaks& b) {
  return {better_of(a.f32, b.f32), better_of(a.bf16, b.bf16), better_of(a.int8, b.int8),
          better_of(a.read, b.read), better_of(a.read_small_pages, b.read_small_pages)};
}

Result<std::unique_ptr<PeakMeter>> PeakMeter::create(const CpuOptions& options, std::size_t bytes) {
  // A backend's own checks, and its choice of an instruction set.
  OCELLUS_ASSIGN_OR_RETURN(const std::shared_ptr<const Backend> backend, make_cpu_backend(options));
  const int threads = options.threads == 0 ? usable_cores() : options.threads;
  OCELLUS_ASSIGN_OR_RETURN(auto pool, ThreadPool::create(threads));
  // At least one page for each thread's stream.
  return std::make_unique<Meter>(loops_of(*backend), std::move(pool),
                                 std::max(bytes, kHugePage * static_cast<std::size_t>(threads)));
}

}  // namespace ocellus::compute::cpu
