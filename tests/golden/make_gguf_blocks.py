#!/usr/bin/env python3
"""Writes gguf_blocks.safetensors: random blocks of every GGUF type and the values that the gguf package expands them to.

Usage: tests/golden/make_gguf_blocks.py; needs gguf, numpy and safetensors. Per type: TYPE/blocks u8 [n, bytes], TYPE/values f32 [n, values].
"""
import pathlib

import gguf
import numpy as np
from gguf import quants
from safetensors.numpy import save_file

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "F16", "BF16"]
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208]}
# Scales as files have them, and at the edges: zero, negative, subnormal, the largest.
SCALES = np.array([0.011, -0.73, 0.0, 6e-8, 65504.0, 3.1e-5, 1.0, -0.002], dtype=np.float16)


def main():
    random = np.random.default_rng(11)
    tensors = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        values, size = gguf.GGML_QUANT_SIZES[kind]
        if name in HALVES:
            blocks = random.integers(0, 256, (len(SCALES), size), dtype=np.uint8)
            for place, offset in enumerate(HALVES[name]):
                blocks[:, offset:offset + 2] = np.roll(SCALES, place).view(np.uint8).reshape(-1, 2)
        else:
            blocks = (random.standard_normal(64).astype(np.float32)).astype(np.float16).view(np.uint8).reshape(4, 32)
        expanded = quants.dequantize(blocks, kind).astype(np.float32)
        tensors[f"{name.lower()}/blocks"] = blocks
        tensors[f"{name.lower()}/values"] = np.ascontiguousarray(expanded)
    # Rows to round: usual ones, a large value among small ones, zeros, halves between two steps.
    rows = random.standard_normal((8, 256)).astype(np.float32) * np.float32(0.02)
    rows[1, 5] = 3.0
    rows[2] = 0
    rows[3] = (np.arange(256) % 32 - 16) / np.float32(8)
    rows[4] = np.abs(rows[4])
    tensors["rows"] = rows
    for name in ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]:
        tensors[f"{name.lower()}/rounded"] = quants.quantize(rows, gguf.GGMLQuantizationType[name])
    save_file(tensors, str(pathlib.Path(__file__).parent / "gguf_blocks.safetensors"))


if __name__ == "__main__":
    main()
