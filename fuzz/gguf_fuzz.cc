// GGUF files: whatever the bytes, errors or a language model's settings, a vocabulary and a tower's
// settings.
#include <cstdint>
#include <span>

#include "formats/gguf.h"
#include "formats/gguf_vocabulary.h"
#include "models/parts/decoder_config.h"
#include "models/parts/image_processor.h"
#include "models/parts/vit_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ocellus;
  const auto file = formats::GgufFile::parse(std::as_bytes(std::span(data, size)), "f");
  if (!file) return 0;
  models::StoredTensors tensors;
  for (const auto& [name, tensor] : file->tensors()) {
    tensors.emplace(name, models::StoredTensor{.name = name,
                                               .type = tensor.type,
                                               .dtype = {},
                                               .shape = tensor.shape,
                                               .data = tensor.data});
  }
  const models::GgufSource source{*file, tensors};
  (void)formats::read_gguf_vocabulary(*file);
  (void)formats::GgufMetadata::parse(file->section(), "f");
  (void)models::read_decoder_gguf(source);
  const auto tower = models::read_vit_gguf(source);
  if (tower) (void)models::read_image_processor_gguf(source, *tower);
  return 0;
}
