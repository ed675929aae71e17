// Attention over blocks of keys and values.
#pragma once

#include <span>

#include "compute/cpu/attention/kernels.h"
#include "compute/cpu/attention/kv_blocks.h"
#include "compute/cpu/pool/thread_pool.h"
#include "compute/cpu/pool/workspace.h"

namespace ocellus::compute::cpu {

// What a backend attends with.
struct AttentionTables {
  const AttentionKernels* exact = nullptr;
  const FastAttentionKernels* fast = nullptr;  // null: kReducedPrecision is computed exactly
};

// Rows of sequences whose keys and values are stored already; `causal`: a row sees no position
// behind its own, else the whole sequence. The arithmetic is that of kernels.h. A task is
// one key-value head and some rows of one sequence with all query heads of that group; when there
// are few rows, as in a decode step, each range of positions is a task of its own. kOutOfMemory.
Status attend(const AttentionTables& tables, ThreadPool& pool, const AttentionShape& shape,
              const KvLayout& layout, std::int64_t layer, std::span<const SequenceRows> sequences,
              bool causal, ConstMatrix q, Matrix out, CpuWorkspace& workspace);

}  // namespace ocellus::compute::cpu
