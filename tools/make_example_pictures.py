#!/usr/bin/env python3
"""Draws examples/pictures: scenes of the demo model's world in every file format that Ocellus reads.

  tools/make_example_pictures.py [--out examples/pictures]
"""
import argparse
import pathlib
import random
import sys

from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from demo.scenes import Scene, Thing, draw  # noqa: E402

SCENES = {
    "scene.png": Scene((Thing("circle", "red", "big", 0), Thing("star", "yellow", "small", 2), Thing("square", "blue", "big", 4),
                        Thing("triangle", "green", "small", 6)), background=(255, 255, 255)),
    "stop.jpg": Scene((Thing("diamond", "orange", "big", 0), Thing("cross", "purple", "small", 2)), "STOP", 1, "red", (238, 238, 236)),
    "seven.webp": Scene((Thing("7", "blue", "big", 4), Thing("circle", "pink", "small", 8)), background=(250, 243, 228)),
    "night.gif": Scene((Thing("star", "yellow", "big", 2), Thing("square", "orange", "small", 6)), background=(20, 20, 22)),
    "crosses.bmp": Scene((Thing("cross", "green", "big", 1), Thing("cross", "red", "big", 3), Thing("cross", "blue", "big", 5)),
                         background=(255, 255, 255)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent / "examples/pictures")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, scene in SCENES.items():
        size = (96, 96) if name.endswith("bmp") else (320, 320)
        draw(scene, *size, random.Random(name)).save(out / name, **({"quality": 90} if name.endswith(("jpg", "webp")) else {}))
    # As a phone held upright writes it: stored on its side, with EXIF orientation 6.
    upright = draw(SCENES["scene.png"], 320, 320, random.Random("phone"))
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(out / "phone.jpg", quality=90, exif=exif)


if __name__ == "__main__":
    main()
