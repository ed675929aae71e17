// Errors as values: nothing in the library throws across its interface, prints, aborts or exits.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "ocellus/export.h"

namespace ocellus {

// Closed list. One table (error_info) maps each code to its name, HTTP status and exit code.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,   // an invalid request: bad option, empty question, unknown name
  kNotFound,          // a file that is not there
  kBadImage,          // picture bytes that cannot be decoded, or are beyond a limit
  kBadModel,          // a checkpoint that is damaged, inconsistent or of an unknown kind
  kUnsupported,       // well formed, but a feature that this build does not have
  kForbidden,         // refused by policy: an image URL that may not be fetched
  kFetchFailed,       // an image URL that could not be fetched
  kContextFull,       // prompt and picture do not fit in the model's context
  kUnavailable,       // mailbox full, worker or runtime not available; may work later
  kOutOfMemory,       // an allocation failed; the message says how many bytes
  kCancelled,         // the caller cancelled or dropped the stream
  kDeadlineExceeded,  // the request's deadline passed
  kIo,                // reading or writing a file failed
  kInternal,          // a defect of ours, caught
  kModelNotFound,     // a model that is not there, or a file that it cannot do without
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // one line; names the file or field, what was expected, what was found

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

struct ErrorInfo {
  std::string_view name;  // stable, for machines: "bad_image"
  int http_status;
  int exit_code;  // 2 usage, 3 bad input, 4 bad model, 5 unavailable, 130 cancelled, 1 otherwise
};

// The one table. Never fails.
OCELLUS_API ErrorInfo error_info(ErrorCode code) noexcept;

}  // namespace ocellus
