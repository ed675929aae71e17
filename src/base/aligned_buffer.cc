#include "base/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>

#include "base/result.h"

namespace ocellus::base {

void AlignedBuffer::Free::operator()(std::byte* p) const noexcept { std::free(p); }

Result<AlignedBuffer> AlignedBuffer::make(std::size_t bytes) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= kHugePageThreshold ? kHugePage : kAlignment;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, bytes) != 0) {
    return make_error(ErrorCode::kOutOfMemory, "not enough memory for {} bytes", bytes);
  }
  // Only advice: without huge pages everything works, a little slower.
  if (bytes >= kHugePageThreshold) (void)madvise(memory, bytes, MADV_HUGEPAGE);
  buffer.data_.reset(static_cast<std::byte*>(memory));
  buffer.size_ = bytes;
  return buffer;
}

}  // namespace ocellus::base
