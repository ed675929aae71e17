// Where the bytes of a Picture come from.
#pragma once

#include "fetch/source.h"
#include "ocellus/options.h"
#include "ocellus/picture.h"
#include "runtime/runtime.h"

namespace ocellus::vision {

// A copy: the fetch owns what it uses.
fetch::ImageSource source_of(const Picture& picture);

// kInvalidArgument for a host that cannot be allowed; kUnavailable.
Result<fetch::Fetcher> make_fetcher(runtime::Runtime& runtime, const FetchPolicy& policy);

}  // namespace ocellus::vision
