// How many cores this process may use.
#pragma once

namespace ocellus::compute::cpu {

// The smaller of the process's affinity and its control group's share, rounded up; at least 1.
int usable_cores();

}  // namespace ocellus::compute::cpu
