"""Whole preprocessing, by transformers' own processors. preprocess_test.cc has the same settings."""
import numpy as np
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

SIZES = [(1, 1), (1, 40), (40, 1), (3, 2), (96, 96), (97, 96), (96, 97), (333, 217), (217, 333), (640, 427),
         (1001, 37), (37, 1001), (336, 336)]

CASES = {
    "clip_336": (CLIPImageProcessorPil, {"size": {"shortest_edge": 336}, "crop_size": 336}),
    "clip_96": (CLIPImageProcessorPil, {"size": {"shortest_edge": 96}, "crop_size": 96}),
    "clip_lanczos": (CLIPImageProcessorPil, {"size": {"shortest_edge": 50}, "crop_size": 50, "resample": 1}),
    "clip_nearest": (CLIPImageProcessorPil, {"size": {"shortest_edge": 50}, "crop_size": 50, "resample": 0}),
    "clip_crop_larger": (CLIPImageProcessorPil, {"size": {"shortest_edge": 40},
                                                 "crop_size": {"height": 71, "width": 64}}),
    "clip_no_resize": (CLIPImageProcessorPil, {"do_resize": False, "crop_size": 100}),
    "clip_no_crop": (CLIPImageProcessorPil, {"size": {"shortest_edge": 20}, "do_center_crop": False}),
    "clip_longest": (CLIPImageProcessorPil, {"size": {"shortest_edge": 64, "longest_edge": 100},
                                             "do_center_crop": False}),
    "clip_no_normalize": (CLIPImageProcessorPil, {"size": {"shortest_edge": 30}, "crop_size": 30,
                                                  "do_normalize": False}),
    "clip_no_rescale": (CLIPImageProcessorPil, {"size": {"shortest_edge": 30}, "crop_size": 30,
                                                "do_rescale": False}),
    "siglip_384": (SiglipImageProcessorPil, {"size": {"height": 384, "width": 384}}),
    "siglip_oblong": (SiglipImageProcessorPil, {"size": {"height": 60, "width": 91}, "resample": 2}),
    "pad_336": (LlavaImageProcessorPil, {"do_pad": True, "size": {"shortest_edge": 336}, "crop_size": 336}),
    "pad_64": (LlavaImageProcessorPil, {"do_pad": True, "size": {"shortest_edge": 64}, "crop_size": 64,
                                        "resample": 2}),
}


def rows(noise, digest):
    out = []
    for name, (processor_class, options) in CASES.items():
        processor = processor_class(**options)
        plain = processor_class(**(options | {"do_rescale": False, "do_normalize": False}))
        for seed, (width, height) in enumerate(SIZES):
            image = Image.frombytes("RGB", (width, height), noise(width * height * 3, seed))
            values = np.asarray(processor(image, return_tensors="np")["pixel_values"][0])
            values = values.astype(np.float32)
            picture = np.asarray(plain(image, return_tensors="np")["pixel_values"][0])
            picture = np.ascontiguousarray(picture.transpose(1, 2, 0)).astype(np.uint8)
            out.append((name, width, height, seed, digest(picture.tobytes()), values.shape[1],
                        values.shape[2], digest(np.ascontiguousarray(values).tobytes())))
    return out
