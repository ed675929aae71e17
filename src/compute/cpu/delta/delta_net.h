// Gated delta nets on the CPU: token by token, so that a sequence's result is the same however its
// rows are cut into steps. A head's state is worked on in strips of columns, which do not depend on
// one another and stay in the nearest cache for all rows of a step.
#pragma once

#include "compute/cpu/elementwise/kernels.h"
#include "compute/cpu/pool/thread_pool.h"
#include "compute/delta_net.h"

namespace ocellus::compute::cpu {

void gated_delta_net(const ElementwiseKernels& kernels, ThreadPool& pool, const DeltaNetCall& call);

}  // namespace ocellus::compute::cpu
