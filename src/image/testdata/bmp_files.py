"""BMP: all depths, headers, bit fields and both run-length encodings."""
import struct

from common import PICTURES, noise, scene


def bmp(width, height, bits, pixels, header=40, compression=0, palette=b"", masks=b"", colors=0,
        planes=1, offset=None):
    if header == 12:
        info = struct.pack("<IHHHH", 12, width, height, planes, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", header, width, height, planes, bits, compression, len(pixels),
                           2835, 2835, colors, 0)
        info += masks[:max(0, header - 40)].ljust(header - 40, b"\0")
        if header == 40:
            info += masks
    start = 14 + len(info) + len(palette) if offset is None else offset
    body = info + palette + pixels
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, start) + body


def rows(width, height, bits, seed):
    stride = (width * bits + 31) // 32 * 4
    return noise(stride * height, seed)


def write():
    for mode in ("1", "L", "P", "RGB"):
        scene(19, 11, mode).save(PICTURES / f"saved_{mode}.bmp")
    size = 19, 11
    pal = {bits: noise(4 << bits, bits) for bits in (1, 4, 8)}
    files = {f"bits_{bits:02}": bmp(*size, bits, rows(*size, bits, bits), palette=pal.get(bits, b""))
             for bits in (1, 4, 8, 16, 24, 32)}
    files["one_pixel"] = bmp(1, 1, 24, rows(1, 1, 24, 3))
    files["top_down"] = bmp(19, -11, 24, rows(*size, 24, 4))
    files["top_down_4"] = bmp(19, -11, 4, rows(*size, 4, 4), palette=pal[4])
    files["core_24"] = bmp(*size, 24, rows(*size, 24, 5), header=12)
    files["core_08"] = bmp(*size, 8, rows(*size, 8, 5), header=12, palette=noise(768, 5))
    files["core_01"] = bmp(*size, 1, rows(*size, 1, 5), header=12, palette=noise(6, 5))
    files["os2_v2"] = bmp(*size, 8, rows(*size, 8, 6), header=64, palette=pal[8])
    files["few_colors"] = bmp(*size, 8, rows(*size, 8, 7), palette=noise(40, 7), colors=10)
    files["grey_ramp"] = bmp(*size, 8, rows(*size, 8, 8),
                             palette=b"".join(bytes([i, i, i, 0]) for i in range(256)))
    files["offset_at_palette"] = bmp(*size, 8, rows(*size, 8, 9), palette=pal[8], offset=54)
    files["gap"] = bmp(*size, 24, b"gap!" * 5 + rows(*size, 24, 10), offset=74)
    layouts = {
        "555": (16, (0x7C00, 0x3E0, 0x1F)), "565": (16, (0xF800, 0x7E0, 0x1F)),
        "888": (24, (0xFF0000, 0xFF00, 0xFF)), "bgrx": (32, (0xFF0000, 0xFF00, 0xFF)),
        "xbgr": (32, (0xFF000000, 0xFF0000, 0xFF00)), "bgxr": (32, (0xFF000000, 0xFF00, 0xFF)),
    }
    for name, (bits, masks) in layouts.items():
        files[f"fields_{name}"] = bmp(*size, bits, rows(*size, bits, 11), compression=3,
                                      masks=struct.pack("<3I", *masks))
    alphas = {
        "abgr": (0xFF000000, 0xFF0000, 0xFF00, 0xFF), "rgba": (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        "bgra": (0xFF0000, 0xFF00, 0xFF, 0xFF000000), "bgar": (0xFF000000, 0xFF00, 0xFF, 0xFF0000),
        "none": (0, 0, 0, 0),
    }
    for name, masks in alphas.items():
        for header in (56, 108, 124):
            files[f"alpha_{name}_{header}"] = bmp(*size, 32, rows(*size, 32, 12), header=header,
                                                  compression=3, masks=struct.pack("<4I", *masks))
    files["fields_52"] = bmp(*size, 32, rows(*size, 32, 12), header=52, compression=3,
                             masks=struct.pack("<3I", 0xFF0000, 0xFF00, 0xFF))
    rle8 = b"\x05\x07\x00\x04\x01\x02\x03\x04\x03\x09\x00\x00" + b"\x0c\x21\x00\x00" * 2 + b"\x00\x02\x03\x01"
    rle8 += b"\x04\x05\x00\x03\x11\x12\x13\x00\x00\x00" + b"\x0c\x44\x00\x00" * 2 + b"\x0c\x45\x00\x01"
    files["rle8"] = bmp(12, 8, 8, rle8, compression=1, palette=pal[8])
    rle4 = b"\x0b\x12\x00\x00" + b"\x00\x07\x12\x34\x56\x70\x04\x9a\x00\x00" + b"\x0f\x5c\x00\x00" + b"\x0b\x77\x00\x00\x00\x01"
    files["rle4"] = bmp(11, 4, 4, rle4, compression=2, palette=pal[4])
    for name, data in files.items():
        (PICTURES / f"{name}.bmp").write_bytes(data)
    return {}
