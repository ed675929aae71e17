// The public face: Picture::parse, Model and Registry.
#include <algorithm>
#include <cstdlib>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "compute/cpu/cpu_backend.h"
#include "models/checkpoint.h"
#include "ocellus/model.h"
#include "vision/guard.h"
#include "vision/vision_model.h"

namespace ocellus {

namespace vision {

namespace {

// Pictures that are decoded at the same time, by all models, and those that may wait for it.
constexpr int kDecodeThreads = 1;
constexpr std::size_t kDecodeQueue = 64;

// What one worker may serve for both: everything but who is told of the loading.
bool same_settings(const ModelOptions& a, const ModelOptions& b) {
  const auto settings = [](const ModelOptions& o) {
    return std::tie(o.path, o.mmproj, o.weights, o.tower_weights, o.preprocess, o.max_tiles,
                    o.image_tokens, o.min_image_tokens, o.prompt_template, o.temperature,
                    o.max_new_tokens, o.context_tokens, o.kv_type, o.kv_cache, o.prefix_cache_bytes,
                    o.speculation, o.sample_instead, o.mailbox_capacity, o.max_sequences, o.slice,
                    o.fetch.allow_urls, o.fetch.allow_hosts, o.fetch.explain_errors,
                    o.fetch.connect_timeout, o.fetch.download_timeout);
  };
  return settings(a) == settings(b);
}

// The path as it is known to the system, so that two spellings are one model. kModelNotFound.
Result<std::filesystem::path> canonical(const std::filesystem::path& path) {
  std::error_code ec;
  std::filesystem::path found = std::filesystem::canonical(path, ec);
  if (ec) return base::make_error(ErrorCode::kModelNotFound, "{}: {}", path.string(), ec.message());
  return found;
}

}  // namespace

// The models of a program and the compute threads that they share. Any thread.
class RegistryState {
 public:
  RegistryState(std::shared_ptr<const compute::Backend> backend,
                std::shared_ptr<compute::Jobs> jobs)
      : backend_(std::move(backend)), jobs_(std::move(jobs)) {}

  std::shared_ptr<VisionModel> open(const ModelOptions& options, const ModelOptions& canonical) {
    const std::lock_guard lock(mutex_);
    std::erase_if(models_, [](const Entry& entry) { return entry.model.expired(); });
    for (const Entry& entry : models_) {
      auto known = same_settings(entry.settings, canonical) ? entry.model.lock() : nullptr;
      if (known == nullptr) continue;
      known->tell(options.progress);
      return known;
    }
    auto model = std::make_shared<VisionModel>(options, backend_, jobs_);
    models_.push_back({canonical, model});
    return model;
  }

 private:
  struct Entry {
    ModelOptions settings;
    std::weak_ptr<VisionModel> model;
  };
  std::mutex mutex_;
  std::shared_ptr<const compute::Backend> backend_;
  std::shared_ptr<compute::Jobs> jobs_;
  std::vector<Entry> models_;
};

}  // namespace vision

Picture Picture::parse(std::string path_or_url) {
  const std::string_view text = path_or_url;
  const auto has_scheme = [&](std::string_view scheme) {
    return text.size() > scheme.size() &&
           std::ranges::equal(text.substr(0, scheme.size()), scheme, [](char a, char b) {
             return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
           });
  };
  if (has_scheme("http://") || has_scheme("https://") || has_scheme("data:"))
    return from_url(std::move(path_or_url));
  return from_path(std::move(path_or_url));
}

Model::Model(std::shared_ptr<vision::VisionModel> model) : model_(std::move(model)) {}

Status Model::load() {
  return vision::guarded([&]() -> Status { return model_->load(); });
}

Result<AnswerStream> Model::ask(Picture picture, std::string question, AskOptions options) {
  return vision::guarded([&]() -> Result<AnswerStream> {
    if (question.empty()) {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "question: expected text, found nothing");
    }
    std::vector<Message> messages = {Message::user(std::move(picture), std::move(question))};
    return model_->ask(std::move(messages), std::move(options));
  });
}

Result<AnswerStream> Model::ask(std::vector<Message> messages, AskOptions options) {
  return vision::guarded([&]() -> Result<AnswerStream> {
    return model_->ask(std::move(messages), std::move(options));
  });
}

Result<std::int64_t> Model::count_tokens(std::vector<Message> messages) {
  return vision::guarded(
      [&]() -> Result<std::int64_t> { return model_->count_tokens(std::move(messages)); });
}

Result<ImageEmbedding> Model::embed_image(Picture picture) {
  return vision::guarded(
      [&]() -> Result<ImageEmbedding> { return model_->embed_image(std::move(picture)); });
}

Result<ModelInfo> Model::info() {
  return vision::guarded([&]() -> Result<ModelInfo> { return model_->info(); });
}

void Model::shutdown() { model_->shutdown(); }

Status Model::drain() {
  return vision::guarded([&]() -> Status { return model_->drain(); });
}

Registry::Registry(std::shared_ptr<vision::RegistryState> state) : state_(std::move(state)) {}

Result<Registry> Registry::create(const RegistryOptions& options) {
  return vision::guarded([&]() -> Result<Registry> {
    compute::cpu::CpuOptions cpu;
    cpu.threads = options.threads;
    // For tests and for looking into differences: which instruction set computes.
    if (const char* name = std::getenv("OCELLUS_ISA"); name != nullptr && *name != '\0') {
      const auto isa = compute::cpu::parse_isa(name);
      if (!isa) {
        return base::make_error(ErrorCode::kInvalidArgument,
                                "OCELLUS_ISA: expected auto, scalar, avx2 or avx512, found {}",
                                name);
      }
      cpu.isa = *isa;
    }
    OCELLUS_ASSIGN_OR_RETURN(auto backend, compute::cpu::make_cpu_backend(cpu));
    OCELLUS_ASSIGN_OR_RETURN(std::shared_ptr<compute::Jobs> jobs,
                             compute::make_jobs(vision::kDecodeThreads, vision::kDecodeQueue));
    return Registry(std::make_shared<vision::RegistryState>(std::move(backend), std::move(jobs)));
  });
}

Result<Model> Registry::open(const ModelOptions& options) {
  return vision::guarded([&]() -> Result<Model> {
    ModelOptions settings = options;
    OCELLUS_ASSIGN_OR_RETURN(settings.path, models::find_model(options.path));
    OCELLUS_ASSIGN_OR_RETURN(settings.path, vision::canonical(settings.path));
    if (!options.mmproj.empty()) {
      OCELLUS_ASSIGN_OR_RETURN(settings.mmproj, vision::canonical(options.mmproj));
    }
    return Model(state_->open(options, settings));
  });
}

}  // namespace ocellus
