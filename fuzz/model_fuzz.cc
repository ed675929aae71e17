// The other files of a model, whatever bytes they hold: errors or values, never a crash. The first
// byte chooses the parser.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "formats/chat_template_file.h"
#include "formats/generation_config.h"
#include "formats/packed_model.h"
#include "formats/safetensors.h"
#include "models/llava/config.h"
#include "models/parts/image_processor.h"
#include "text/prompt.h"

namespace {

using namespace ocellus;

void read_image_processor(std::string_view text) {
  models::Checkpoint checkpoint;
  checkpoint.texts.emplace("preprocessor_config.json", text);
  (void)models::read_image_processor(checkpoint, {});
}

// A directory whose checksums are right: no fuzzer finds those. The first byte says how many pages
// of matrices stand before it.
void read_packed_directory(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const std::size_t pages = 1 + std::to_integer<std::size_t>(bytes[0]) % 8;
  const auto directory = bytes.subspan(1);
  std::vector<std::byte> file =
      formats::packed_header_bytes(pages * formats::kPackedPage, directory);
  file.resize(pages * formats::kPackedPage);
  file.insert(file.end(), directory.begin(), directory.end());
  (void)formats::parse_packed_model(file, "f");
}

// The template that a file holds, rendered once.
void render(std::string_view json) {
  const auto source = formats::parse_chat_template(json, "f");
  if (!source || !*source) return;
  const auto parsed = text::PromptTemplate::parse(**source, "f");
  if (!parsed) return;
  using enum text::Message::Role;
  const std::vector<text::Message> messages = {{kUser, {text::ImagePart{}, "What is it?"}}};
  text::RenderOptions options;
  options.limits.steps = 20'000;
  options.limits.bytes = 1 << 20;
  (void)parsed->render(messages, {"<s>", "</s>", "<image>"}, options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 8) {
    case 0:
      (void)models::parse_llava_config(text, "f");
      break;
    case 1:
      read_image_processor(text);
      break;
    case 2:
      (void)formats::parse_generation_config(text, "f");
      break;
    case 3:
      render(text);
      break;
    case 4:
      (void)formats::parse_safetensors(bytes, "f");
      break;
    case 5:
      (void)formats::parse_safetensors_index(text, "f");
      break;
    case 6:
      (void)formats::parse_packed_model(bytes, "f");
      break;
    case 7:
      read_packed_directory(bytes);
      break;
  }
  return 0;
}
