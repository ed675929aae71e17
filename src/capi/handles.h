// What the handles of the C API hold, and how its functions turn results into what C takes.
#pragma once

#include <cstddef>
#include <cstring>
#include <list>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ocellus/ocellus.h"
#include "ocellus/ocellus_c.h"

struct ocellus_error {
  ocellus::ErrorCode code;
  std::string name, message;
};

struct ocellus_registry {
  ocellus::Registry registry;
};

struct ocellus_model {
  ocellus::Model model;
  std::mutex mutex = {};
  // Guarded by mutex. One, or another after each reload that changed it: their texts are lent out.
  std::list<ocellus::ModelInfo> infos = {};
};

struct ocellus_messages {
  std::vector<ocellus::Message> messages;
};

struct ocellus_embedding {
  ocellus::ImageEmbedding embedding;
};

namespace ocellus::capi {

// Never null; where there is no memory for an error, one that is always there.
ocellus_error* make_error(Error error) noexcept;
ocellus_error* make_error(ErrorCode code, std::string_view message) noexcept;

std::unexpected<Error> invalid(std::string message);
Status require(const void* pointer, std::string_view name);

// Runs what gives a Status; nothing thrown gets past it.
template <typename Body>
ocellus_error* guarded(Body&& body) noexcept {
  try {
    Status status = body();
    return status ? nullptr : make_error(std::move(status).error());
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "not enough memory");
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kInternal, error.what());
  } catch (...) {
    return make_error(ErrorCode::kInternal, "unknown exception");
  }
}

// The same for a body that makes what a handle holds (Result<Content>); *out is null unless it
// succeeds.
template <typename Handle, typename Body>
ocellus_error* make_handle(Handle** out, std::string_view name, Body&& body) noexcept {
  if (out != nullptr) *out = nullptr;
  return guarded([&]() -> Status {
    if (Status given = require(out, name); !given) return given;
    auto content = body();
    if (!content) return std::unexpected(std::move(content).error());
    *out = new Handle{*std::move(content)};
    return {};
  });
}

// kInvalidArgument for a struct_size that no version of the library has.
Status check_struct_size(std::size_t given, std::size_t known, std::string_view name);

// A caller's settings over `defaults`, as far as its struct goes. Null: the defaults.
template <typename Options>
Result<Options> read_options(const Options* given, const Options& defaults, std::string_view name) {
  Options options = defaults;
  if (given == nullptr) return options;
  const std::size_t size = given->struct_size;
  if (Status checked = check_struct_size(size, sizeof(Options), name); !checked)
    return std::unexpected(std::move(checked).error());
  std::memcpy(&options, given, size);
  options.struct_size = sizeof(Options);
  return options;
}

// A result into a caller's struct, as far as that goes.
template <typename Struct>
Status write_struct(Struct filled, Struct* out, std::string_view name) {
  if (Status given = require(out, name); !given) return given;
  const std::size_t size = out->struct_size;
  if (Status checked = check_struct_size(size, sizeof(Struct), name); !checked) return checked;
  filled.struct_size = size;
  std::memcpy(out, &filled, size);
  return {};
}

// `count` texts; kInvalidArgument for a null among them.
Result<std::vector<std::string>> read_texts(const char* const* texts, std::size_t count,
                                            std::string_view name);

Result<Picture> read_picture(const char* path_or_url, std::string_view name);
Result<Picture> read_picture(const void* bytes, std::size_t size);

Result<ModelOptions> read_model_options(const ocellus_model_options* options);
Result<AskOptions> read_ask_options(const ocellus_ask_options* options);

}  // namespace ocellus::capi
