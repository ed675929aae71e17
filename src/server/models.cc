#include "server/models.h"

#include <algorithm>

#include "base/result.h"
#include "models/checkpoint.h"
#include "models/families.h"

namespace ocellus::server {
namespace {

constexpr std::int64_t kDefaultContext = 4096;

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void ServedModel::rest(std::optional<std::chrono::milliseconds> keep) {
  if (keep) keep_ms = keep->count();
  idle_since_ms = now_ms();
}

bool ServedModel::is_overdue() const {
  const std::int64_t keep = keep_ms;
  return keep >= 0 && now_ms() - idle_since_ms >= keep;
}

std::optional<std::int64_t> ServedModel::expires_at() const {
  const std::int64_t keep = keep_ms;
  if (keep < 0) return std::nullopt;
  const std::int64_t left = running > 0 ? keep : idle_since_ms + keep - now_ms();
  const auto then = std::chrono::system_clock::now() + std::chrono::milliseconds(left);
  return std::chrono::duration_cast<std::chrono::seconds>(then.time_since_epoch()).count();
}

std::int64_t ServedModel::context_tokens() const {
  const std::int64_t longest = description->summary().language.max_position;
  return options.context_tokens > 0 ? options.context_tokens : std::min(longest, kDefaultContext);
}

Result<ServedModels> ServedModels::open(Registry& registry, std::vector<ModelSpec> specs) {
  ServedModels out;
  for (ModelSpec& spec : specs) {
    for (const std::string& name : spec.names) {
      if (!name.empty() && out.find(name) == nullptr && std::ranges::count(spec.names, name) == 1) {
        continue;
      }
      return base::make_error(ErrorCode::kInvalidArgument,
                              "--model: expected names that are not empty and each once, found "
                              "\"{}\"",
                              name);
    }
    // What is no model is told now; its weights are loaded when it is first asked.
    OCELLUS_ASSIGN_OR_RETURN(models::Checkpoint read,
                             models::load_checkpoint(spec.options.path, spec.options.mmproj));
    auto checkpoint = std::make_unique<const models::Checkpoint>(std::move(read));
    OCELLUS_ASSIGN_OR_RETURN(auto description, models::describe_model(*checkpoint));
    // The server counts who waits: while a model is loaded its worker takes nobody from the
    // mailbox. What is over is for scores of decisions.
    constexpr std::size_t kScores = 8;
    const std::size_t room = spec.queue + spec.options.max_sequences;
    spec.options.mailbox_capacity = room + kScores;
    OCELLUS_ASSIGN_OR_RETURN(Model model, registry.open(spec.options));
    out.models_.push_back(std::shared_ptr<ServedModel>(
        new ServedModel{.names = std::move(spec.names),
                        .options = std::move(spec.options),
                        .model = std::move(model),
                        .checkpoint = std::move(checkpoint),
                        .description = std::move(description),
                        .room = static_cast<int>(room),
                        .keep_ms = spec.ttl ? spec.ttl->count() : -1}));
  }
  return out;
}

std::shared_ptr<ServedModel> ServedModels::find(std::string_view name) const {
  if (name.empty()) return models_.empty() ? nullptr : models_.front();
  for (const auto& model : models_)
    if (std::ranges::find(model->names, name) != model->names.end()) return model;
  return nullptr;
}

}  // namespace ocellus::server
