// Which of the kernels' instruction sets this machine has.
#pragma once

namespace ocellus::compute::cpu {

// Any thread. What is listed is what the kernels of that name are compiled with.
bool has_avx2() noexcept;        // AVX2, FMA, F16C
bool has_avxvnni() noexcept;     // has_avx2() and AVX-VNNI
bool has_avx512() noexcept;      // AVX-512 F, BW, VL, DQ, FMA, F16C
bool has_avx512vnni() noexcept;  // has_avx512() and AVX512_VNNI
bool has_avx512bf16() noexcept;  // has_avx512() and AVX512_BF16

}  // namespace ocellus::compute::cpu
