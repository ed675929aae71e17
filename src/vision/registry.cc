// The public face: Picture::parse, Model and Registry.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "base/result.h"
#include "compute/cpu/cpu_backend.h"
#include "ocellus/model.h"
#include "vision/vision_model.h"

namespace ocellus {

namespace vision {

// The models of a program and the compute pool that they share. Any thread.
class RegistryState {
 public:
  explicit RegistryState(std::shared_ptr<const compute::Backend> backend)
      : backend_(std::move(backend)) {}

  std::shared_ptr<VisionModel> open(const ModelOptions& options, const std::string& key) {
    const std::lock_guard lock(mutex_);
    std::erase_if(models_, [](const auto& entry) { return entry.second.expired(); });
    if (auto known = models_[key].lock()) return known;
    auto model = std::make_shared<VisionModel>(options, backend_);
    models_[key] = model;
    return model;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<const compute::Backend> backend_;
  std::map<std::string, std::weak_ptr<VisionModel>> models_;
};

namespace {

// Two that are equal here are served by one worker.
std::string settings_key(const ModelOptions& o, const std::filesystem::path& path) {
  std::string key = fmt::format(
      "{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", path.string(), o.mmproj.string(),
      static_cast<int>(o.weights), static_cast<int>(o.tower_weights),
      static_cast<int>(o.preprocess), o.prompt_template, o.temperature.value_or(-1),
      o.max_new_tokens.value_or(-1), o.context_tokens, o.kv_cache, o.speculation,
      static_cast<int>(o.kv_type), o.mailbox_capacity, o.max_sessions, o.fetch.allow_urls);
  for (const std::string& host : o.fetch.allow_hosts) key += "|" + host;
  return key;
}

}  // namespace
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

Status Model::load() { return model_->load(); }

Result<AnswerStream> Model::ask(Picture picture, std::string question, AskOptions options) {
  return model_->ask(std::move(picture), std::move(question), std::move(options));
}

Result<ModelInfo> Model::info() { return model_->info(); }

void Model::shutdown() { model_->shutdown(); }

Registry::Registry(std::shared_ptr<vision::RegistryState> state) : state_(std::move(state)) {}

Result<Registry> Registry::create(const RegistryOptions& options) {
  compute::cpu::CpuOptions cpu;
  cpu.threads = options.threads;
  // For tests and for looking into differences: which instruction set computes.
  if (const char* name = std::getenv("OCELLUS_ISA"); name != nullptr && *name != '\0') {
    const auto isa = compute::cpu::parse_isa(name);
    if (!isa) {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "OCELLUS_ISA: expected auto, scalar, avx2 or avx512, found {}", name);
    }
    cpu.isa = *isa;
  }
  OCELLUS_ASSIGN_OR_RETURN(auto backend, compute::cpu::make_cpu_backend(cpu));
  return Registry(std::make_shared<vision::RegistryState>(std::move(backend)));
}

Result<Model> Registry::open(const ModelOptions& options) {
  std::error_code ec;
  const std::filesystem::path path = std::filesystem::canonical(options.path, ec);
  if (ec) {
    return base::make_error(ErrorCode::kNotFound, "{}: {}", options.path.string(), ec.message());
  }
  return Model(state_->open(options, vision::settings_key(options, path)));
}

}  // namespace ocellus
