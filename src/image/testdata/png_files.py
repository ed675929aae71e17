"""PNG: every colour type and depth, interlaced or not, transparency, orientation, damage."""
import struct
import zlib

import numpy as np
from PIL import Image, PngImagePlugin

from common import PICTURES, noise, scene
from jpeg_files import exif

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pack_rows(samples, depth):
    """[height, width, channels] to filtered bytes; the filters take turns."""
    out = b""
    pixel = max(1, samples.shape[2] * depth // 8)
    previous = None
    for number, row in enumerate(samples):
        flat = row.reshape(-1)
        if depth == 16:
            line = flat.astype(">u2").tobytes()
        elif depth == 8:
            line = flat.astype(np.uint8).tobytes()
        else:
            bits = np.unpackbits(flat.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:].reshape(-1)
            line = np.packbits(bits).tobytes()
        previous = previous or bytes(len(line))
        kind = number % 5
        out += bytes([kind]) + filtered(kind, line, previous, pixel)
        previous = line
    return out


def filtered(kind, line, up, pixel):
    left = bytes(pixel) + line[:-pixel] if len(line) >= pixel else bytes(len(line))
    corner = bytes(pixel) + up[:-pixel] if len(up) >= pixel else bytes(len(up))
    guess = {
        0: lambda a, b, c: 0, 1: lambda a, b, c: a, 2: lambda a, b, c: b,
        3: lambda a, b, c: (a + b) // 2, 4: paeth,
    }[kind]
    return bytes((x - guess(a, b, c)) & 255 for x, a, b, c in zip(line, left, up, corner))


def paeth(a, b, c):
    p = a + b - c
    da, db, dc = abs(p - a), abs(p - b), abs(p - c)
    return a if da <= db and da <= dc else b if db <= dc else c


def png(samples, depth, color, interlaced=False, extra=()):
    height, width = samples.shape[:2]
    raw = b""
    for x, y, dx, dy in (ADAM7 if interlaced else ((0, 0, 1, 1),)):
        part = samples[y::dy, x::dx]
        if part.size:
            raw += pack_rows(part, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    for name, data in extra:
        out += chunk(name, data)
    data = zlib.compress(raw)
    half = len(data) // 2
    return out + chunk(b"IDAT", data[:half]) + chunk(b"IDAT", data[half:]) + chunk(b"IEND", b"")


def make_samples(width, height, depth, color, seed):
    count = width * height * CHANNELS[color]
    values = np.frombuffer(noise(2 * count, seed), ">u2").astype(np.uint32) >> (16 - depth)
    return values.reshape(height, width, CHANNELS[color])


def palette(depth):
    return noise(3 << depth, 99)


def write():
    own = {}
    seed = 0
    for color, depths in DEPTHS.items():
        for depth in depths:
            for width, height in ((1, 1), (13, 9), (32, 33)):
                for interlaced in (False, True):
                    seed += 1
                    samples = make_samples(width, height, depth, color, seed)
                    extra = [(b"PLTE", palette(depth))] if color == 3 else []
                    name = f"png_{color}_{depth:02}_{width}x{height}{'_i' if interlaced else ''}.png"
                    (PICTURES / name).write_bytes(png(samples, depth, color, interlaced, extra))
                    if color == 0 and depth == 16:
                        # Pillow clips 16-bit grey at 255; the high byte is kept here, as Pillow
                        # itself does for 16-bit colour.
                        own[name] = np.repeat((samples >> 8).astype(np.uint8), 3, 2).tobytes()
    own.update(write_transparent())
    write_metadata()
    return own


def write_transparent():
    own = {}

    def save(name, samples, depth, color, extra, rgb=None):
        (PICTURES / name).write_bytes(png(samples, depth, color, extra=extra))
        if rgb is not None:
            own[name] = rgb.astype(np.uint8).tobytes()

    for depth in (1, 2, 4, 8, 16):
        samples = make_samples(12, 10, depth, 0, 50 + depth)
        value = int(samples[3, 3, 0])
        # Pillow compares the stored 2-, 4- and 16-bit value with the scaled or clipped sample.
        grey = samples >> 8 if depth == 16 else samples * (255 // ((1 << depth) - 1))
        rgb = np.repeat(np.where(samples == value, 255, grey), 3, 2)
        save(f"trns_grey_{depth:02}.png", samples, depth, 0, [(b"tRNS", struct.pack(">H", value))],
             None if depth in (1, 8) else rgb)
    for depth in (8, 16):
        samples = make_samples(12, 10, depth, 2, 60 + depth)
        samples[2:5, 2:7] = samples[0, 0]
        value = samples[0, 0]
        # Pillow compares the low bytes of a 16-bit colour with the high bytes of the samples.
        hit = (samples == value).all(2, keepdims=True)
        rgb = np.where(hit, 255, samples >> (depth - 8))
        save(f"trns_rgb_{depth:02}.png", samples, depth, 2,
             [(b"tRNS", struct.pack(">HHH", *map(int, value)))], rgb if depth == 16 else None)
    for depth in (1, 2, 4, 8):
        samples = make_samples(12, 10, depth, 3, 70 + depth)
        count = 1 << depth
        for name, alpha in (("one", bytes([255] * (count - 1) + [0])), ("many", noise(max(1, count // 2), 5))):
            save(f"trns_palette_{name}_{depth:02}.png", samples, depth, 3,
                 [(b"PLTE", palette(depth)), (b"tRNS", alpha)])
    save("palette_short.png", make_samples(12, 10, 4, 3, 80), 4, 3, [(b"PLTE", palette(3))])
    return own


def write_metadata():
    image = scene(23, 14)
    for orientation in range(1, 9):
        image.save(PICTURES / f"exif_{orientation}.png", exif=exif(orientation))
    samples = make_samples(9, 6, 8, 2, 90)
    raw = b"Raw profile type exif\0\nexif\n%8d\n%s\n" % (len(exif(6)), exif(6).hex().encode())
    xmp = b"<x:xmpmeta tiff:Orientation=\"5\"/>"
    texts = {
        "raw_profile": (b"tEXt", raw),
        "raw_profile_compressed": (b"zTXt", raw[:22] + b"\0" + zlib.compress(raw[22:])),
        "xmp": (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        "xmp_compressed": (b"iTXt", b"XML:com.adobe.xmp\0\x01\0\0\0" + zlib.compress(xmp)),
        "gamma": (b"gAMA", struct.pack(">I", 100_000)),
        "background": (b"bKGD", struct.pack(">HHH", 255, 0, 0)),
    }
    for name, extra in texts.items():
        (PICTURES / f"meta_{name}.png").write_bytes(png(samples, 8, 2, extra=[extra]))
    whole = png(samples, 8, 2)
    late = whole[:-12] + chunk(b"eXIf", exif(7)[6:]) + whole[-12:]
    (PICTURES / "meta_exif_after_data.png").write_bytes(late)
    (PICTURES / "no_end.png").write_bytes(whole[:-12])
    (PICTURES / "trailing_junk.png").write_bytes(whole + b"junk")
    frames = [scene(16, 12), scene(16, 12).rotate(180)]
    frames[0].save(PICTURES / "animated.png", save_all=True, append_images=frames[1:])
    frames[0].save(PICTURES / "animated_default.png", save_all=True, append_images=frames[1:],
                   default_image=True)
