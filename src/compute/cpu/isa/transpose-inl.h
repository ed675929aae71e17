// Transposes sixteen vectors through memory: lane j of vector i becomes lane i of vector j. For
// instruction sets without a faster way (isa/avx512/transpose-inl.h has one).
//
// Include inside an unnamed namespace of ocellus::compute::cpu, after the instruction set's
// vector-inl.h. Any instruction set.

inline void transpose(V (&v)[kLanes]) {
  alignas(64) float lanes[kLanes][kLanes], transposed[kLanes];
  for (int i = 0; i < kLanes; ++i) store(lanes[i], v[i]);
  for (int i = 0; i < kLanes; ++i) {
    for (int j = 0; j < kLanes; ++j) transposed[j] = lanes[j][i];
    v[i] = load(transposed);
  }
}
