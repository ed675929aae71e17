#include "ocellus/error.h"

namespace ocellus {

ErrorInfo error_info(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return {"invalid_argument", 400, 2};
    case ErrorCode::kNotFound:
      return {"not_found", 404, 3};
    case ErrorCode::kBadImage:
      return {"bad_image", 400, 3};
    case ErrorCode::kBadModel:
      return {"bad_model", 500, 4};
    case ErrorCode::kUnsupported:
      return {"unsupported", 501, 4};
    case ErrorCode::kForbidden:
      return {"forbidden", 403, 3};
    case ErrorCode::kFetchFailed:
      return {"fetch_failed", 502, 3};
    case ErrorCode::kContextFull:
      return {"context_full", 400, 3};
    case ErrorCode::kUnavailable:
      return {"unavailable", 429, 5};
    case ErrorCode::kOutOfMemory:
      return {"out_of_memory", 503, 5};
    case ErrorCode::kCancelled:
      return {"cancelled", 499, 130};
    case ErrorCode::kDeadlineExceeded:
      return {"deadline_exceeded", 504, 5};
    case ErrorCode::kIo:
      return {"io", 500, 3};
    case ErrorCode::kInternal:
      return {"internal", 500, 1};
    case ErrorCode::kModelNotFound:
      return {"model_not_found", 404, 4};
  }
  return {"internal", 500, 1};
}

}  // namespace ocellus
