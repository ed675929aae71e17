#include "models/llava_next/family.h"

#include "models/llava_next/random.h"
#include "models/parts/anyres_description.h"

namespace ocellus::models {
namespace {

constexpr std::string_view kModelTypes[] = {"llava_next"};
constexpr std::string_view kProjectorTypes[] = {"mlp"};

}  // namespace

const AnyresDefaults& llava_next_defaults() {
  static const AnyresDefaults defaults = {
      .family = "llava_next",
      .config = {},
      .grids = {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}}};
  return defaults;
}

constinit const Family kLlavaNext = {
    .name = "llava_next",
    .model_types = kModelTypes,
    .projector_types = kProjectorTypes,
    .is_gguf = is_anyres_gguf,
    .describe = [](const Checkpoint& c) { return describe_anyres(c, llava_next_defaults()); },
    .random_models = llava_next_random_models};

}  // namespace ocellus::models
