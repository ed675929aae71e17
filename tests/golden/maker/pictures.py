"""Tiny pictures of every kind that people have, drawn from a seed."""

import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw


def scene(width, height, seed):
    """Smooth colours, sharp edges and a little noise: shows errors of resampling and of codecs."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    planes = []
    for _ in range(3):
        a, b, c = rng.uniform(0.5, 3.0, 3)
        wave = np.sin(a * x / max(width, 2) * 6 + c) + np.cos(b * y / max(height, 2) * 6 - c)
        planes.append(127.5 + 55 * wave + rng.normal(0, 6, wave.shape))
    picture = Image.fromarray(np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        x0, y0 = int(rng.integers(0, width)), int(rng.integers(0, height))
        x1, y1 = x0 + int(rng.integers(1, width // 2 + 2)), y0 + int(rng.integers(1, height // 2 + 2))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        (draw.rectangle if rng.random() < 0.5 else draw.ellipse)([x0, y0, x1, y1], fill=colour)
    return picture


def alpha_ramp(picture):
    """Alpha from 0 to 255 from left to right, with a hole."""
    width, height = picture.size
    ramp = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
    ramp[: height // 3, width // 2:] = 0
    layer = picture.convert("RGBA")
    layer.putalpha(Image.fromarray(ramp))
    return layer


def png_16bit_rgb(path, width, height, seed):
    """Pillow writes no 16-bit colour; the format is simple enough (filter 0, one IDAT)."""
    rng = np.random.default_rng(seed)
    samples = rng.integers(0, 65536, (height, width, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in samples)

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) +
                     chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def write_pictures(folder):
    folder.mkdir(parents=True, exist_ok=True)
    photo, wide, tall = scene(61, 47, 1), scene(97, 23, 2), scene(19, 88, 3)

    photo.save(folder / "photo.png")
    wide.save(folder / "wide.png")
    tall.save(folder / "tall.png")
    scene(120, 90, 4).save(folder / "large.png")
    scene(56, 56, 5).save(folder / "square.png")
    scene(37, 53, 6).save(folder / "odd.png")
    scene(1, 1, 7).save(folder / "dot.png")
    scene(40, 1, 8).save(folder / "row.png")
    scene(1, 40, 9).save(folder / "column.png")
    scene(8, 6, 10).save(folder / "small.png")

    alpha_ramp(photo).save(folder / "rgba.png")
    photo.convert("L").save(folder / "grey.png")
    alpha_ramp(photo).convert("LA").save(folder / "grey_alpha.png")
    photo.convert("1").save(folder / "one_bit.png")
    palette = photo.quantize(16)
    palette.save(folder / "palette.png")
    palette.save(folder / "palette_transparent.png", transparency=bytes(range(0, 256, 16)))
    photo.save(folder / "colour_key.png", transparency=photo.getpixel((5, 40)))
    ramp = (np.add.outer(np.arange(47) * 700, np.arange(61) * 500) % 65536).astype(np.uint16)
    Image.fromarray(ramp).save(folder / "grey16.png")
    png_16bit_rgb(folder / "rgb16.png", 23, 17, 11)

    photo.save(folder / "photo.jpg", quality=85)
    photo.save(folder / "full_chroma.jpg", quality=90, subsampling=0)
    photo.save(folder / "progressive.jpg", quality=85, progressive=True)
    photo.convert("L").save(folder / "grey.jpg", quality=85)
    photo.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    scene(33, 15, 12).save(folder / "odd.jpg", quality=75)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        scene(40, 26, 13).save(folder / f"exif_{orientation}.jpg", quality=90, exif=exif)

    photo.save(folder / "lossy.webp", quality=80)
    photo.save(folder / "lossless.webp", lossless=True)
    alpha_ramp(photo).save(folder / "alpha.webp", lossless=True)
    frames = [scene(30, 20, 14 + i).quantize(32) for i in range(3)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:], duration=50)
    palette.save(folder / "transparent.gif", transparency=3)
    photo.save(folder / "photo.bmp")
    palette.save(folder / "palette.bmp")
    return sorted(path.name for path in folder.iterdir())
