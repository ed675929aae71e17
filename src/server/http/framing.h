// Where a request ends, decided strictly: what two programs could read in two ways is refused, for
// that is how requests are smuggled past a proxy.
#pragma once

#include <string_view>

#include "ocellus/error.h"

namespace ocellus::server {

// Of the bytes from the request line on, as far as they are there: whether they may still become a
// header (RFC 9112). kInvalidArgument for a bare CR or LF, folded lines, NUL, a blank before a
// colon, Content-Length twice, beside Transfer-Encoding or not a number, and any Transfer-Encoding
// but chunked. Looks no further than the empty line.
Status check_framing(std::string_view bytes);

// Whether the header's empty line is there.
bool has_whole_header(std::string_view bytes);

}  // namespace ocellus::server
