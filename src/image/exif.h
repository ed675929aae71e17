// The one thing that EXIF and XMP say about pixels: which way is up; internal to src/image.
#pragma once

#include <optional>

#include "image/bytes.h"
#include "image/image.h"

namespace ocellus::image {

// Tag 274 of the first directory of a TIFF block (EXIF 2.32 §4.6.2), which may be preceded by
// "Exif\0\0". Nothing where the block is damaged, has no such tag, or the tag is no integer. Of
// several entries or values the first counts, as in Pillow. Values outside 1 to 8 are returned too.
std::optional<int> exif_orientation(Bytes block);

// The first tiff:Orientation in an XMP packet, one digit, as attribute or element.
std::optional<int> xmp_orientation(Bytes packet);

// What PIL.ImageOps.exif_transpose does: the EXIF tag, else XMP's; 1 for anything but 2 to 8.
int choose_orientation(Bytes exif, Bytes xmp);

// Turns and mirrors the pixels. `orientation` is 1 to 8; 1 gives the picture back untouched. In
// place where the sides keep their lengths (1 to 4).
Image apply_orientation(Image image, int orientation);

}  // namespace ocellus::image
