#include "base/result.h"
#include "compute/cpu/pool/job_queue.h"
#include "compute/cpu/pool/thread_pool.h"
#include "compute/cpu/topology/cores.h"
#include "compute/pool.h"

namespace ocellus::compute {

Result<std::unique_ptr<Pool>> make_pool(int threads) {
  if (threads < 0) {
    return base::make_error(ErrorCode::kInvalidArgument, "threads: expected 0 or more, found {}",
                            threads);
  }
  return cpu::ThreadPool::create(threads > 0 ? threads : cpu::usable_cores());
}

Result<std::unique_ptr<Jobs>> make_jobs(int threads, std::size_t capacity) {
  return cpu::JobQueue::create(threads, capacity);
}

}  // namespace ocellus::compute
