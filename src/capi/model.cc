// Registry, models, conversations and embeddings of the C API.
#include <algorithm>

#include "capi/handles.h"

using namespace ocellus;        // NOLINT: the functions below are C's
using namespace ocellus::capi;  // NOLINT

static_assert(OCELLUS_ROLE_SYSTEM == static_cast<int>(Role::kSystem) &&
              OCELLUS_ROLE_USER == static_cast<int>(Role::kUser) &&
              OCELLUS_ROLE_ASSISTANT == static_cast<int>(Role::kAssistant));

ocellus_error* ocellus_registry_create(const ocellus_registry_options* options,
                                       ocellus_registry** registry) {
  return make_handle(registry, "registry", [&]() -> Result<Registry> {
    const auto read = read_options(options, ocellus_registry_options(OCELLUS_REGISTRY_OPTIONS_INIT),
                                   "ocellus_registry_options");
    if (!read) return std::unexpected(read.error());
    if (read->reserved != 0) return invalid("reserved: expected 0");
    return Registry::create({.threads = read->threads});
  });
}

void ocellus_registry_free(ocellus_registry* registry) { delete registry; }

ocellus_error* ocellus_model_open(ocellus_registry* registry, const ocellus_model_options* options,
                                  ocellus_model** model) {
  return make_handle(model, "model", [&]() -> Result<Model> {
    if (Status given = require(registry, "registry"); !given) return std::unexpected(given.error());
    auto read = read_model_options(options);
    if (!read) return std::unexpected(std::move(read).error());
    return registry->registry.open(*read);
  });
}

void ocellus_model_free(ocellus_model* model) { delete model; }

ocellus_error* ocellus_model_load(ocellus_model* model) {
  return guarded([&]() -> Status {
    if (Status given = require(model, "model"); !given) return given;
    return model->model.load();
  });
}

void ocellus_model_shutdown(ocellus_model* model) {
  if (model == nullptr) return;
  ocellus_error_free(guarded([&]() -> Status {
    model->model.shutdown();
    return {};
  }));
}

ocellus_error* ocellus_model_drain(ocellus_model* model) {
  return guarded([&]() -> Status {
    if (Status given = require(model, "model"); !given) return given;
    return model->model.drain();
  });
}

ocellus_error* ocellus_model_get_info(ocellus_model* model, ocellus_model_info* info) {
  return guarded([&]() -> Status {
    if (Status given = require(model, "model"); !given) return given;
    auto found = model->model.info();
    if (!found) return std::unexpected(std::move(found).error());
    ocellus_model_info filled = OCELLUS_MODEL_INFO_INIT;
    filled.image_size = found->image_size;
    filled.image_tokens = found->image_tokens;
    filled.context_tokens = found->context_tokens;
    filled.vocabulary = found->vocabulary;
    filled.parameters = found->parameters;
    filled.weight_bytes = found->weight_bytes;
    filled.max_new_tokens = found->max_new_tokens;
    filled.temperature = found->temperature;
    const std::lock_guard lock(model->mutex);
    if (model->infos.empty() || model->infos.back().architecture != found->architecture ||
        model->infos.back().device != found->device)
      model->infos.push_back(*std::move(found));
    filled.architecture = model->infos.back().architecture.c_str();
    filled.device = model->infos.back().device.c_str();
    return write_struct(filled, info, "info");
  });
}

ocellus_error* ocellus_messages_create(ocellus_messages** messages) {
  return make_handle(messages, "messages",
                     []() -> Result<std::vector<Message>> { return std::vector<Message>(); });
}

void ocellus_messages_free(ocellus_messages* messages) { delete messages; }

ocellus_error* ocellus_messages_begin(ocellus_messages* messages, int32_t role) {
  return guarded([&]() -> Status {
    if (Status given = require(messages, "messages"); !given) return given;
    if (role < OCELLUS_ROLE_SYSTEM || role > OCELLUS_ROLE_ASSISTANT)
      return invalid("role: expected 0 to 2, found " + std::to_string(role));
    messages->messages.push_back({.role = static_cast<Role>(role)});
    return {};
  });
}

namespace {

ocellus_error* add_part(ocellus_messages* messages, auto&& make_part) {
  return guarded([&]() -> Status {
    if (Status given = require(messages, "messages"); !given) return given;
    if (messages->messages.empty())
      return invalid("messages: expected ocellus_messages_begin() before the first part");
    auto part = make_part();
    if (!part) return std::unexpected(std::move(part).error());
    messages->messages.back().parts.emplace_back(*std::move(part));
    return {};
  });
}

ocellus_error* embed(ocellus_model* model, ocellus_embedding** embedding, auto&& make_picture) {
  return make_handle(embedding, "embedding", [&]() -> Result<ImageEmbedding> {
    if (Status given = require(model, "model"); !given) return std::unexpected(given.error());
    auto picture = make_picture();
    if (!picture) return std::unexpected(std::move(picture).error());
    return model->model.embed_image(*std::move(picture));
  });
}

}  // namespace

ocellus_error* ocellus_messages_add_text(ocellus_messages* messages, const char* text) {
  return add_part(messages, [&]() -> Result<std::string> {
    if (Status given = require(text, "text"); !given) return std::unexpected(given.error());
    return std::string(text);
  });
}

ocellus_error* ocellus_messages_add_picture(ocellus_messages* messages, const char* path_or_url) {
  return add_part(messages, [&] { return read_picture(path_or_url, "path_or_url"); });
}

ocellus_error* ocellus_messages_add_picture_bytes(ocellus_messages* messages, const void* bytes,
                                                  size_t size) {
  return add_part(messages, [&] { return read_picture(bytes, size); });
}

size_t ocellus_messages_count(const ocellus_messages* messages) {
  return messages == nullptr ? 0 : messages->messages.size();
}

ocellus_error* ocellus_messages_truncate(ocellus_messages* messages, size_t count) {
  return guarded([&]() -> Status {
    if (Status given = require(messages, "messages"); !given) return given;
    auto& all = messages->messages;
    if (count < all.size()) all.erase(all.begin() + static_cast<std::ptrdiff_t>(count), all.end());
    return {};
  });
}

ocellus_error* ocellus_model_count_tokens(ocellus_model* model, const ocellus_messages* messages,
                                          int64_t* tokens) {
  if (tokens != nullptr) *tokens = 0;
  return guarded([&]() -> Status {
    for (const auto& status :
         {require(model, "model"), require(messages, "messages"), require(tokens, "tokens")}) {
      if (!status) return status;
    }
    auto counted = model->model.count_tokens(messages->messages);
    if (!counted) return std::unexpected(std::move(counted).error());
    *tokens = *counted;
    return {};
  });
}

ocellus_error* ocellus_model_embed_picture(ocellus_model* model, const char* path_or_url,
                                           ocellus_embedding** embedding) {
  return embed(model, embedding, [&] { return read_picture(path_or_url, "path_or_url"); });
}

ocellus_error* ocellus_model_embed_picture_bytes(ocellus_model* model, const void* bytes,
                                                 size_t size, ocellus_embedding** embedding) {
  return embed(model, embedding, [&] { return read_picture(bytes, size); });
}

void ocellus_embedding_free(ocellus_embedding* embedding) { delete embedding; }

int64_t ocellus_embedding_rows(const ocellus_embedding* embedding) {
  return embedding == nullptr ? 0 : embedding->embedding.rows;
}

int64_t ocellus_embedding_cols(const ocellus_embedding* embedding) {
  return embedding == nullptr ? 0 : embedding->embedding.cols;
}

const float* ocellus_embedding_data(const ocellus_embedding* embedding) {
  return embedding == nullptr ? nullptr : embedding->embedding.data.data();
}

const float* ocellus_embedding_mean(const ocellus_embedding* embedding) {
  return embedding == nullptr ? nullptr : embedding->embedding.mean.data();
}
