#include "models/quantized_elsewhere.h"

#include <string>

#include "base/result.h"
#include "formats/config_reader.h"

namespace ocellus::models {
namespace {

using base::make_error;
namespace bj = json::bj;

constexpr std::string_view kCure =
    "fetch the checkpoint as it was published (bf16 or f16) and hold it in a block type with "
    "--weights q4_0, or fetch it in GGUF";

// Endings of names that no plain checkpoint has.
struct Mark {
  std::string_view ending, format;
};
constexpr Mark kMarks[] = {
    {".qweight", "AWQ or GPTQ"},
    {".qzeros", "AWQ or GPTQ"},
    {".g_idx", "GPTQ"},
    {".quant_state.bitsandbytes__nf4", "bitsandbytes"},
    {".quant_state.bitsandbytes__fp4", "bitsandbytes"},
    {".absmax", "bitsandbytes"},
    {".SCB", "bitsandbytes"},
    {".weight_packed", "compressed-tensors"},
    {".weight_scale_inv", "FP8"},
    {".weight_scale", "FP8 or compressed-tensors"},
    {".q_invperm", "EXL2"},
    {".trellis", "EXL3"},
    {".W_q", "HQQ"},
    {".codebooks", "AQLM"},
    {".scales", "MLX"},
};

std::unexpected<Error> refused(std::string_view where, std::string_view format) {
  return make_error(ErrorCode::kUnsupported,
                    "{}: expected plain weights, found weights quantised by {}: {}", where, format,
                    kCure);
}

// Of "quantization_config" (transformers) or "quantization" (MLX): what quantised; empty: nothing.
std::string format_of(const bj::object& config) {
  const auto* const found = config.if_contains("quantization_config");
  if (const bj::object* settings = found == nullptr ? nullptr : found->if_object()) {
    const bj::value* const method = settings->if_contains("quant_method");
    if (method != nullptr && method->is_string())
      return {method->get_string().data(), method->get_string().size()};
    if (settings->contains("load_in_4bit") || settings->contains("load_in_8bit"))
      return "bitsandbytes";
    if (settings->contains("bits") || settings->contains("group_size")) return "MLX";
    return settings->empty() ? "" : "a tool that is not named";
  }
  const auto* const mlx = config.if_contains("quantization");
  return mlx != nullptr && mlx->is_object() && !mlx->get_object().empty() ? "MLX" : "";
}

}  // namespace

Status refuse_quantized_elsewhere(const Checkpoint& c) {
  const std::string file = (c.path / "config.json").string();
  OCELLUS_ASSIGN_OR_RETURN(const formats::ConfigFile config,
                           formats::ConfigFile::parse(c.text("config.json"), file));
  if (const std::string format = format_of(config.object()); !format.empty())
    return refused(file + ": quantization_config", format);
  for (const char* part : {"text_config", "llm_config", "vision_config"}) {
    const auto* const inner = config.object().if_contains(part);
    if (inner == nullptr || !inner->is_object()) continue;
    if (const std::string format = format_of(inner->get_object()); !format.empty())
      return refused(file + ": " + part + ": quantization_config", format);
  }
  for (const auto& [name, tensor] : c.tensors) {
    for (const Mark& mark : kMarks) {
      if (name.ends_with(mark.ending))
        return refused(c.file_of(tensor) + ": tensor " + tensor.name, mark.format);
    }
    if (name.find(".lora_A.") != std::string::npos) {
      return make_error(
          ErrorCode::kUnsupported,
          "{}: tensor {}: expected the model's weights, found a LoRA adapter's: merge "
          "it into the model (merge_and_unload) and save that",
          c.file_of(tensor), tensor.name);
    }
  }
  return {};
}

}  // namespace ocellus::models
