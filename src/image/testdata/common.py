"""What the parts of make_testdata.py share."""
import pathlib

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
PICTURES = HERE / "pictures"


def noise(count, seed):
    """`count` bytes that look random; test_pictures.h makes the same ones."""
    index = np.arange(count, dtype=np.uint64) + np.uint64(seed * 1_000_003)
    value = index * np.uint64(2_654_435_761) & np.uint64(0xFFFFFFFF)
    value ^= value >> np.uint64(15)
    value = value * np.uint64(2_246_822_519) & np.uint64(0xFFFFFFFF)
    return (value >> np.uint64(24)).astype(np.uint8).tobytes()


def scene(width, height, mode="RGB"):
    """A picture with smooth parts, edges and some noise, different in every corner."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    u, v = x / max(width - 1, 1), y / max(height - 1, 1)
    bands = [255 * u, 255 * v, 255 * (1 - u) * (1 - v), np.where(u + v < 0.7, 40, 230) + 20 * u]
    grain = np.frombuffer(noise(width * height * 4, 7), np.uint8).reshape(height, width, 4) / 16.0
    stacked = np.clip(np.stack(bands, -1) * 0.9 + grain, 0, 255).astype(np.uint8)
    if mode == "RGBA":
        return Image.fromarray(stacked, "RGBA")
    if mode == "CMYK":
        return Image.frombytes("CMYK", (width, height), stacked.tobytes())
    rgb = Image.fromarray(np.ascontiguousarray(stacked[..., :3]), "RGB")
    return rgb if mode == "RGB" else rgb.convert(mode)
