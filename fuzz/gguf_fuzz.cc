// GGUF files: whatever the bytes, errors or a language model's settings, a vocabulary and a tower's
// settings.
#include <cstdint>
#include <span>

#include "formats/gguf.h"
#include "formats/gguf_model.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ocellus;
  const auto file = formats::GgufFile::parse(std::as_bytes(std::span(data, size)), "f");
  if (!file) return 0;
  formats::ModelConfig config;
  formats::ImageProcessorConfig processor;
  (void)formats::read_gguf_language(*file, config);
  (void)formats::read_gguf_vocabulary(*file);
  (void)formats::read_gguf_tower(*file, config, processor);
  return 0;
}
