"""What a vision tower should see of each picture, by the image processors of the reference."""

import numpy as np
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from .models import CLIP_MEAN, CLIP_STD

CLASSES = {"CLIPImageProcessor": CLIPImageProcessorPil, "SiglipImageProcessor": SiglipImageProcessorPil,
           "LlavaImageProcessor": LlavaImageProcessorPil}


def clip(size, crop, kind="CLIPImageProcessor", **more):
    return {"image_processor_type": kind, "size": {"shortest_edge": size},
            "crop_size": {"height": crop, "width": crop}, "image_mean": CLIP_MEAN,
            "image_std": CLIP_STD, "resample": 3, **more}


def siglip(height, width):
    return {"image_processor_type": "SiglipImageProcessor",
            "size": {"height": height, "width": width}, "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5], "resample": 3}


EVERY_PICTURE = {"crop": clip(28, 28), "pad": clip(28, 28, "LlavaImageProcessor", do_pad=True),
                 "square": siglip(28, 28)}
FEW_PICTURES = {
    "upscale": clip(84, 84),
    "downscale_crop": clip(20, 14),
    "crop_wider_than_picture": clip(15, 40),
    "crop_odd": clip(28, 27),
    "no_crop": clip(21, 21, do_center_crop=False),
    "no_resize": clip(28, 28, do_resize=False),
    "oblong": siglip(35, 20),
    "pad_odd": clip(33, 33, "LlavaImageProcessor", do_pad=True),
    **{f"filter_{number}": clip(30, 30, resample=number) for number in (0, 1, 2, 4, 5)},
}
FEW = ("photo.png", "wide.png", "tall.png", "small.png", "large.png")
WITH_PIXEL_VALUES = ("photo.png", "tall.png")


def run(folder, names, open_picture):
    """(tensors, list of cases for images.json)."""
    tensors, cases = {}, []
    for name in names:
        picture = open_picture(folder / name)
        tensors[f"{name}/decoded"] = np.asarray(picture).copy()
        entry = {"image": name, "width": picture.width, "height": picture.height, "settings": []}
        cases.append(entry)
        chosen = {**EVERY_PICTURE, **(FEW_PICTURES if name in FEW else {})}
        for key, settings in chosen.items():
            fields = dict(settings)
            processor = CLASSES[fields.pop("image_processor_type")](**fields)
            pixels = processor(picture, do_rescale=False, do_normalize=False,
                               return_tensors="np").pixel_values[0]
            if pixels.dtype != np.uint8:
                raise SystemExit(f"{name}, {key}: the reference made {pixels.dtype}, not 8 bits")
            tensors[f"{name}/{key}/picture"] = np.ascontiguousarray(pixels.transpose(1, 2, 0))
            if name in WITH_PIXEL_VALUES and key in EVERY_PICTURE:
                values = processor(picture, return_tensors="pt").pixel_values[0].numpy()
                tensors[f"{name}/{key}/pixel_values"] = np.ascontiguousarray(values)
            entry["settings"].append(key)
    return tensors, {"settings": {**EVERY_PICTURE, **FEW_PICTURES}, "images": cases}
