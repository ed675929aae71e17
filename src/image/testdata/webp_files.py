"""WebP: lossy, lossless, alpha, animation, orientation."""
from PIL import Image

from common import PICTURES, scene
from jpeg_files import exif


def write():
    for width, height in ((1, 1), (2, 3), (17, 13), (64, 48)):
        scene(width, height).save(PICTURES / f"lossy_{width}x{height}.webp", quality=70)
        scene(width, height).save(PICTURES / f"lossless_{width}x{height}.webp", lossless=True)
        scene(width, height, "RGBA").save(PICTURES / f"alpha_{width}x{height}.webp", quality=70)
    scene(33, 21, "RGBA").save(PICTURES / "alpha_lossless.webp", lossless=True, exact=True)
    scene(33, 21, "P").save(PICTURES / "palette.webp", lossless=True)
    scene(33, 21, "L").save(PICTURES / "grey.webp", quality=50)
    for orientation in range(1, 9):
        scene(23, 14).save(PICTURES / f"exif_{orientation}.webp", quality=80, exif=exif(orientation))
    frames = [scene(32, 24), scene(32, 24).rotate(180)]
    frames[0].save(PICTURES / "animated.webp", save_all=True, append_images=frames[1:], quality=60)
    clear = Image.new("RGBA", (32, 24), (0, 0, 0, 0))
    clear.paste(scene(10, 8), (12, 6))
    other = scene(32, 24, "RGBA")
    # The first frame becomes a small picture somewhere on the canvas.
    clear.save(PICTURES / "animated_offset.webp", save_all=True, append_images=[other], lossless=True)
    return {}
