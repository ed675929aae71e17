// Errors, log and version of the C API.
#include <exception>

#include "capi/handles.h"

namespace ocellus::capi {
namespace {

#define OCELLUS_SAME_CODE(c, cpp) \
  static_assert(static_cast<int>(c) == static_cast<int>(ErrorCode::cpp), #c)
OCELLUS_SAME_CODE(OCELLUS_ERROR_INVALID_ARGUMENT, kInvalidArgument);
OCELLUS_SAME_CODE(OCELLUS_ERROR_NOT_FOUND, kNotFound);
OCELLUS_SAME_CODE(OCELLUS_ERROR_BAD_IMAGE, kBadImage);
OCELLUS_SAME_CODE(OCELLUS_ERROR_BAD_MODEL, kBadModel);
OCELLUS_SAME_CODE(OCELLUS_ERROR_UNSUPPORTED, kUnsupported);
OCELLUS_SAME_CODE(OCELLUS_ERROR_FORBIDDEN, kForbidden);
OCELLUS_SAME_CODE(OCELLUS_ERROR_FETCH_FAILED, kFetchFailed);
OCELLUS_SAME_CODE(OCELLUS_ERROR_CONTEXT_FULL, kContextFull);
OCELLUS_SAME_CODE(OCELLUS_ERROR_UNAVAILABLE, kUnavailable);
OCELLUS_SAME_CODE(OCELLUS_ERROR_OUT_OF_MEMORY, kOutOfMemory);
OCELLUS_SAME_CODE(OCELLUS_ERROR_CANCELLED, kCancelled);
OCELLUS_SAME_CODE(OCELLUS_ERROR_DEADLINE_EXCEEDED, kDeadlineExceeded);
OCELLUS_SAME_CODE(OCELLUS_ERROR_IO, kIo);
OCELLUS_SAME_CODE(OCELLUS_ERROR_INTERNAL, kInternal);
OCELLUS_SAME_CODE(OCELLUS_ERROR_MODEL_NOT_FOUND, kModelNotFound);
#undef OCELLUS_SAME_CODE

static_assert(OCELLUS_LOG_DEBUG == static_cast<int>(LogLevel::kDebug));
static_assert(OCELLUS_LOG_INFO == static_cast<int>(LogLevel::kInfo));
static_assert(OCELLUS_LOG_WARNING == static_cast<int>(LogLevel::kWarning));
static_assert(OCELLUS_LOG_ERROR == static_cast<int>(LogLevel::kError));

// Its texts are short enough to be kept without an allocation (std::string holds 15 bytes).
ocellus_error no_memory{ErrorCode::kOutOfMemory, "out_of_memory", "no memory left"};

}  // namespace

ocellus_error* make_error(Error error) noexcept {
  try {
    return new ocellus_error{error.code, std::string(error_info(error.code).name),
                             std::move(error.message)};
  } catch (...) {
    return &no_memory;
  }
}

ocellus_error* make_error(ErrorCode code, std::string_view message) noexcept {
  try {
    return make_error(Error{code, std::string(message)});
  } catch (...) {
    return &no_memory;
  }
}

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{ErrorCode::kInvalidArgument, std::move(message)});
}

Status require(const void* pointer, std::string_view name) {
  if (pointer != nullptr) return {};
  return invalid(std::string(name) + ": expected a pointer, found NULL");
}

Status check_struct_size(std::size_t given, std::size_t known, std::string_view name) {
  // struct_size and at least one field; whole fields, which are of 8 bytes or pairs of 4.
  if (given >= 16 && given % 8 == 0 && given <= known) return {};
  return invalid(std::string(name) + ".struct_size: expected a multiple of 8 up to " +
                 std::to_string(known) + ", found " + std::to_string(given) +
                 " (set it to sizeof of the struct)");
}

}  // namespace ocellus::capi

using namespace ocellus;  // NOLINT: the functions below are C's

ocellus_error_code ocellus_error_get_code(const ocellus_error* error) {
  return error == nullptr ? OCELLUS_ERROR_NONE : static_cast<ocellus_error_code>(error->code);
}

const char* ocellus_error_get_name(const ocellus_error* error) {
  return error == nullptr ? "none" : error->name.c_str();
}

const char* ocellus_error_get_message(const ocellus_error* error) {
  return error == nullptr ? "" : error->message.c_str();
}

void ocellus_error_free(ocellus_error* error) {
  if (error != &capi::no_memory) delete error;
}

ocellus_error* ocellus_set_log_callback(ocellus_log_callback callback, void* user_data) {
  return capi::guarded([&]() -> Status {
    if (callback == nullptr) {
      set_log_sink({});
      return {};
    }
    set_log_sink([callback, user_data](LogLevel level, std::string_view message) {
      const std::string line(message);
      callback(user_data, static_cast<ocellus_log_level>(level), line.c_str());
    });
    return {};
  });
}

const char* ocellus_version(void) { return ocellus::version(); }
int32_t ocellus_version_major(void) { return OCELLUS_VERSION_MAJOR; }
int32_t ocellus_version_minor(void) { return OCELLUS_VERSION_MINOR; }
int32_t ocellus_version_patch(void) { return OCELLUS_VERSION_PATCH; }
