#include "models/llava/config.h"

#include <fmt/format.h>

#include "base/result.h"
#include "formats/config_reader.h"

namespace ocellus::models {
namespace {

using base::make_error;
using formats::ConfigReader;

// Checkpoints that say model_type llava and are something else.
void refuse_others(ConfigReader& r) {
  for (const std::string& name : r.texts("architectures")) {
    if (!name.starts_with("LlavaNext") && !name.starts_with("LlavaOnevision")) continue;
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: architectures: expected LlavaForConditionalGeneration, found {}",
                       r.where(), name));
  }
  const std::string merge = r.text("mm_patch_merge_type", "flat"),
                    ratio = r.text("image_aspect_ratio", "pad");
  if (merge.starts_with("spatial") || ratio.starts_with("anyres")) {
    r.fail(ErrorCode::kUnsupported,
           fmt::format("{}: image_aspect_ratio {} with mm_patch_merge_type {} is LLaVA-1.6: "
                       "expected LLaVA-1.5",
                       r.where(), ratio, merge));
  }
  if (r.has("mm_vision_tower")) {
    r.fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: mm_vision_tower: expected a checkpoint in transformers' layout (such as "
                    "llava-hf/llava-1.5-7b-hf), found the original layout",
                    r.where()));
  }
}

}  // namespace

Result<LlavaConfig> parse_llava_config(std::string_view text, std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const formats::ConfigFile document,
                           formats::ConfigFile::parse(text, file));
  ConfigReader r = document.reader();
  refuse_others(r);
  LlavaConfig c;
  c.family = "llava";
  read_mlp_tiled_config(r, {}, c);
  OCELLUS_RETURN_IF_ERROR(r.status());
  return c;
}

Result<LlavaConfig> read_llava_config(const Checkpoint& checkpoint) {
  LlavaConfig c;
  if (checkpoint.gguf) {
    c.family = "llava";
    OCELLUS_RETURN_IF_ERROR(read_mlp_tiled_gguf(checkpoint, c));
    return c;
  }
  OCELLUS_ASSIGN_OR_RETURN(c, parse_llava_config(checkpoint.text("config.json"),
                                                 (checkpoint.path / "config.json").string()));
  for (const char* name : {"image_newline", "model.image_newline"}) {
    if (!checkpoint.tensors.contains(name)) continue;
    return make_error(ErrorCode::kUnsupported,
                      "{}: tensor {}: is LLaVA-1.6 (images in tiles): expected LLaVA-1.5",
                      checkpoint.path.string(), name);
  }
  OCELLUS_RETURN_IF_ERROR(read_mlp_tiled_files(checkpoint, c));
  return c;
}

}  // namespace ocellus::models
