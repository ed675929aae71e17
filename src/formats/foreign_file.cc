#include "formats/foreign_file.h"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace ocellus::formats {
namespace {

// All that is looked at.
constexpr std::size_t kHead = 512;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

std::string foreign_file(std::span<const std::byte> bytes) {
  if (bytes.empty()) return "found an empty file: its download has not finished";
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min(bytes.size(), kHead));
  if (head.starts_with("version https://git-lfs.github.com/spec/")) {
    return "found a git-lfs pointer, which names the file and does not hold it: run `git lfs pull` "
           "in its folder, or download the file itself";
  }
  std::string_view text = head.starts_with("\xEF\xBB\xBF") ? head.substr(3) : head;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  text = first == std::string_view::npos ? std::string_view() : text.substr(first);
  const std::string start = lower(text.substr(0, 16));
  if (start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml")) {
    return "found a web page, saved under this name: download the file itself";
  }
  if (start.starts_with("{\"error") || start.starts_with("{\"message") ||
      start.starts_with("entry not found") || start.starts_with("invalid username") ||
      start.starts_with("access to model")) {
    return "found a server's error message, saved under this name: download the file again";
  }
  // The length of a safetensors header, eight bytes, may begin alike, but ends in zeros.
  const bool length = head.size() < 8 || head.substr(4, 4) == std::string_view("\0\0\0\0", 4);
  if (!length && (head.starts_with("PK\x03\x04") || head.starts_with("\x80\x02") ||
                  head.starts_with("\x80\x04"))) {
    return "found a PyTorch pickle, which can run code when it is read: convert it to safetensors";
  }
  if (head.starts_with(std::string_view("\x89HDF\r\n\x1A\n", 8)))
    return "found HDF5 (TensorFlow or Keras weights): expected safetensors or GGUF";
  if (head.starts_with("ggml") || head.starts_with("lmgg") || head.starts_with("ggjt") ||
      head.starts_with("tjgg")) {
    return "found a file of the time before GGUF: convert the checkpoint again";
  }
  if (!length && head.starts_with("\x08") && head.find("onnx") != std::string_view::npos) {
    return "found an ONNX graph: expected safetensors or GGUF";
  }
  if (std::ranges::all_of(head, [](char c) { return c == '\0'; }))
    return "found zeros: its download has not finished";
  return "";
}

std::string foreign_file(const std::filesystem::path& path) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(path, ec)) return "";
  std::string head(kHead, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file) return "";
  file.read(head.data(), std::ssize(head));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
  return foreign_file(std::as_bytes(std::span(head)));
}

}  // namespace ocellus::formats
