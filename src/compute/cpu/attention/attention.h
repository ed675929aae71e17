// Attention over blocks of keys and values.
#pragma once

#include <span>

#include "compute/cpu/attention/kernels.h"
#include "compute/cpu/attention/kv_blocks.h"
#include "compute/cpu/pool/thread_pool.h"
#include "compute/cpu/pool/workspace.h"

namespace ocellus::compute::cpu {

struct AttentionTables {
  const AttentionKernels* f32 = nullptr;
  const Bf16AttentionKernels* bf16 = nullptr;  // null: kReducedPrecision is computed in f32
};

// Rows of sequences whose keys and values are stored. `causal`: a row sees what
// Backend::causal_attention says; else the whole sequence.
struct AttentionCall {
  const AttentionTables& tables;
  const AttentionShape& shape;
  const KvLayout& layout;
  std::int64_t layer;
  std::span<const SequenceRows> sequences;
  bool causal;
  ConstMatrix q;
  Matrix out;
};

// The arithmetic is that of kernels.h. A task is one key-value head and some rows of one sequence
// with all query heads of that group; where there are few rows, as in a decode step, each range of
// slots is a task of its own. kOutOfMemory.
Status attend(const AttentionCall& call, ThreadPool& pool, CpuWorkspace& workspace);

}  // namespace ocellus::compute::cpu
