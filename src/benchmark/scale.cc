#include "benchmark/scale.h"

namespace ocellus::benchmark {

void Scale::apply(double& seconds, std::vector<compute::OpProfile>& operations) const {
  if (!applies()) return;
  double kept = 0;
  for (compute::OpProfile& op : operations) {
    if (once(op)) {
      kept += op.seconds;
      continue;
    }
    op.calls = op.calls * full_layers / layers;
    op.rows = op.rows * full_layers / layers;
    op.seconds *= factor();
    op.flops *= factor();
    op.bytes *= factor();
  }
  seconds = kept + (seconds - kept) * factor();
}

}  // namespace ocellus::benchmark
