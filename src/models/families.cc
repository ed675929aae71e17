#include "models/families.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/result.h"
#include "formats/config_reader.h"
#include "models/idefics3/family.h"
#include "models/internvl/family.h"
#include "models/llava/family.h"
#include "models/llava_next/family.h"
#include "models/llava_onevision/family.h"
#include "models/qwen_vl/family.h"

namespace ocellus::models {
namespace {

using base::make_error;
using Names = std::span<const std::string_view>;

// Of those with one projector type the general one last.
constexpr const Family* kFamilies[] = {
    &kLlavaOnevision, &kLlavaNext, &kLlava, &kIdefics3, &kInternVl, &kQwenVl,
};

Result<const Family*> find_family(Names Family::*names, std::string_view found,
                                  std::string_view where, const Checkpoint& c) {
  std::vector<std::string_view> known;
  for (const Family* family : kFamilies) {
    for (const std::string_view name : family->*names) {
      const bool other = c.gguf && family->is_gguf != nullptr && !family->is_gguf(c);
      if (name == found && !other) return family;
      if (std::ranges::find(known, name) == known.end()) known.push_back(name);
    }
  }
  return make_error(ErrorCode::kUnsupported, "{}: expected {}, found \"{}\"", where,
                    fmt::join(known, ", "), found);
}

Result<const Family*> family_of(const Checkpoint& c) {
  if (c.gguf) {
    const formats::GgufMetadata& tower = c.gguf->tower;
    OCELLUS_ASSIGN_OR_RETURN(const std::string architecture, tower.text("general.architecture"));
    if (architecture != "clip") {
      return make_error(ErrorCode::kBadModel,
                        "{}: general.architecture: expected clip (a tower), found \"{}\"",
                        tower.file(), architecture);
    }
    OCELLUS_ASSIGN_OR_RETURN(std::string type, tower.text_or("clip.projector_type", "mlp"));
    OCELLUS_ASSIGN_OR_RETURN(type, tower.text_or("clip.vision.projector_type", type));
    return find_family(&Family::projector_types, type, tower.file() + ": clip.projector_type", c);
  }
  const std::string file = (c.path / "config.json").string();
  OCELLUS_ASSIGN_OR_RETURN(const formats::ConfigFile config,
                           formats::ConfigFile::parse(c.text("config.json"), file));
  formats::ConfigReader reader = config.reader();
  const std::string type = reader.text("model_type", "");
  OCELLUS_RETURN_IF_ERROR(reader.status());
  return find_family(&Family::model_types, type, file + ": model_type", c);
}

}  // namespace

std::string ModelSummary::architecture() const {
  return fmt::format("{}: {} {}x{} + {} {}x{}", family, tower.name, tower.layers, tower.hidden_size,
                     language.name, language.layers, language.hidden_size);
}

Result<std::unique_ptr<const ModelDescription>> describe_model(const Checkpoint& checkpoint) {
  OCELLUS_ASSIGN_OR_RETURN(const Family* const family, family_of(checkpoint));
  return family->describe(checkpoint);
}

Result<std::unique_ptr<Model>> load_model(const Checkpoint& checkpoint,
                                          const compute::Backend& backend,
                                          const LoadOptions& options) {
  OCELLUS_ASSIGN_OR_RETURN(const auto description, describe_model(checkpoint));
  return description->load(backend, options);
}

std::vector<std::string> random_model_names() {
  std::vector<std::string> names;
  for (const Family* family : kFamilies)
    for (const RandomModel& model : family->random_models()) names.emplace_back(model.name);
  return names;
}

const RandomModel* find_random_model(std::string_view name) {
  for (const Family* family : kFamilies) {
    for (const RandomModel& model : family->random_models())
      if (model.name == name) return &model;
  }
  return nullptr;
}

}  // namespace ocellus::models
