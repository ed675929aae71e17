// Keeps a mapped file that is cut short, or a disk that fails, from ending the process.
#pragma once

#include <cstddef>
#include <span>

namespace ocellus::base {

// While it lives, pages of a mapping that can no longer be read give zeros instead of SIGBUS, and
// lost() tells that it happened: what was computed since is worth nothing. Movable; any thread.
//
// The first guard installs a handler for SIGBUS, once for the process. Faults anywhere else go to
// the handler that was there before. A host that installs its own later and does not pass faults
// on has the system's default instead, as without guard.
class MappingGuard {
 public:
  MappingGuard() = default;  // guards nothing
  // Read-only, from mmap(). At most 4,096 mappings are guarded at a time; those beyond are not.
  explicit MappingGuard(std::span<const std::byte> mapping) noexcept;
  MappingGuard(MappingGuard&& other) noexcept;
  MappingGuard& operator=(MappingGuard&& other) noexcept;
  // Before the mapping goes.
  ~MappingGuard();

  bool lost() const noexcept;

 private:
  int slot_ = -1;
};

}  // namespace ocellus::base
