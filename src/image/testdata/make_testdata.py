#!/usr/bin/env python3
"""Writes the pictures and the expected values that the tests of src/image compare with.

The reference is Pillow for decoding and resizing, transformers for preprocessing. Run it with both
installed, from anywhere; it writes next to itself and prints the versions it used, which also stand
in versions.txt. Nothing here is random: two runs with the same versions write the same bytes.

    make_testdata.py [--corpora DIR]
"""
import argparse
import hashlib
import pathlib
import warnings

import PIL
from PIL import Image, ImageOps, features

import bmp_files
import gif_files
import jpeg_files
import png_files
import webp_files
from common import HERE, PICTURES, noise

warnings.simplefilter("ignore")
Image.MAX_IMAGE_PIXELS = None


def decode(path):
    """The picture as the project defines it: oriented, over white, RGB."""
    image = ImageOps.exif_transpose(Image.open(path))
    if "A" in image.getbands() or image.info.get("transparency") is not None:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def digest(data):
    return hashlib.sha256(data).hexdigest()


def write_table(name, comment, rows):
    lines = [f"# {line}" for line in comment.strip().splitlines()]
    lines += ["\t".join(str(cell) for cell in row) for row in rows]
    (HERE / name).write_text("\n".join(lines) + "\n")


def write_pictures():
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.iterdir():
        old.unlink()
    own = {}  # files where the project does better than Pillow: name -> RGB bytes
    for module in (jpeg_files, png_files, webp_files, gif_files, bmp_files):
        own.update(module.write())
    rows = []
    for path in sorted(PICTURES.iterdir()):
        try:
            image = decode(path)
        except Exception as error:  # whatever a library raises: the picture is bad
            print(f"an error, as the tests expect: {path.name}: {error}")
            rows.append((path.name, 0, 0, "-", "error"))
            continue
        data = own.get(path.name, image.tobytes())
        kind = "own" if path.name in own else "pillow"
        rows.append((path.name, image.width, image.height, digest(data), kind))
    write_table("pictures.tsv", """
file, width, height, sha256 of the RGB samples, who says so: Pillow; or the project's own rule where
Pillow is wrong (the reasons stand beside the files in *_files.py); or an error there""", rows)


def write_corpus(root):
    rows = []
    files = sorted(p for p in (root / "images").rglob("*") if p.is_file())
    for path in files:
        try:
            image = decode(path)
        except Exception:  # whatever a library raises: the picture is bad
            continue
        name = path.relative_to(root / "images").as_posix()
        rows.append((name, image.width, image.height, digest(image.tobytes())))
    write_table("corpus.tsv", f"""
What Pillow makes of the corpora's pictures: file, width, height, sha256 of the RGB samples.
Files that are not listed are errors there. Files in all: {len(files)}""", rows)


FILTERS = range(6)
SIZES = [  # from width, height, to width, height
    (1, 1, 1, 1), (1, 1, 7, 5), (7, 5, 1, 1), (2, 3, 3, 2), (17, 13, 17, 29), (17, 13, 40, 13),
    (64, 48, 33, 21), (33, 21, 64, 48), (100, 80, 99, 79), (301, 5, 12, 300), (640, 480, 448, 336),
    (500, 375, 336, 336), (31, 977, 96, 96), (5000, 3, 40, 24),
]


def write_resize():
    rows = []
    for number, (w, h, to_w, to_h) in enumerate(SIZES):
        source = Image.frombytes("RGB", (w, h), noise(w * h * 3, number))
        for resample in FILTERS:
            result = source.resize((to_w, to_h), resample)
            rows.append((w, h, number, to_w, to_h, resample, digest(result.tobytes())))
    write_table("resize.tsv", """
width, height, seed, new width, new height, filter (Pillow's number), sha256 of the RGB samples""", rows)


def write_preprocess():
    import preprocess_cases
    write_table("preprocess.tsv", """
case, width, height, seed of the picture, sha256 of the 8-bit picture before rescaling (rows of RGB),
height and width of the result, sha256 of the float32 values [3, height, width]""",
                preprocess_cases.rows(noise, digest))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", type=pathlib.Path,
                        default=HERE.parents[2].parent / "shared" / "corpora")
    arguments = parser.parse_args()
    write_pictures()
    write_resize()
    write_preprocess()
    write_corpus(arguments.corpora)
    import transformers
    versions = [("pillow", PIL.__version__), ("libjpeg-turbo", features.version("libjpeg_turbo")),
                ("libwebp", features.version("webp")), ("transformers", transformers.__version__)]
    text = "\n".join(f"{name} {version}" for name, version in versions) + "\n"
    (HERE / "versions.txt").write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
