// The models that a server offers, by name.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/checkpoint.h"
#include "models/description.h"
#include "ocellus/model.h"

namespace ocellus::server {

// What --model NAME[,ALIAS...]=PATH says.
struct ModelSpec {
  std::vector<std::string> names;  // the first is its own, the others are aliases
  ModelOptions options;            // its mailbox is sized by `queue`
  std::size_t queue = 8;           // requests that wait beyond the max_sequences that are answered
  std::optional<std::chrono::milliseconds> ttl = {};  // idle for so long it is unloaded
};

// A model, loaded when it is first asked. Any thread.
struct ServedModel {
  std::vector<std::string> names;
  ModelOptions options;
  Model model;
  // What its files say, without its weights.
  std::unique_ptr<const models::Checkpoint> checkpoint;
  std::unique_ptr<const models::ModelDescription> description;
  std::atomic<bool> loaded = false;
  int room = 0;                  // answers that may be made or wait at the same time
  std::atomic<int> running = 0;  // those that are

  // How long it stays in memory after its last answer; below 0: for ever.
  std::atomic<std::int64_t> keep_ms = -1;
  std::atomic<std::int64_t> idle_since_ms = 0;

  const std::string& name() const { return names.front(); }
  // An answer has ended; `keep` as that request wants it from now on.
  void rest(std::optional<std::chrono::milliseconds> keep);
  bool is_overdue() const;
  // Seconds of the system's clock; nothing: never.
  std::optional<std::int64_t> expires_at() const;
  std::int64_t context_tokens() const;
};

// Read-only once made; any thread.
class ServedModels {
 public:
  // kModelNotFound, kBadModel, kUnsupported for what is no model that can be served;
  // kInvalidArgument for a name that comes twice.
  static Result<ServedModels> open(Registry& registry, std::vector<ModelSpec> specs);

  const std::vector<std::shared_ptr<ServedModel>>& all() const { return models_; }
  // By name or alias; an empty name is the first model. Null.
  std::shared_ptr<ServedModel> find(std::string_view name) const;

 private:
  std::vector<std::shared_ptr<ServedModel>> models_;
};

}  // namespace ocellus::server
