// Files that lie where a model's should and are something else.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace ocellus::formats {

// What a file is by its first bytes, and what to do about it, as the end of a message: "found a
// git-lfs pointer: ...". Empty where they say nothing. Any thread.
std::string foreign_file(std::span<const std::byte> bytes);

// The same of a file on disk; empty also when it cannot be read.
std::string foreign_file(const std::filesystem::path& path);

}  // namespace ocellus::formats
