#!/usr/bin/env python3
"""Writes gguf/types.gguf: every type of value and of tensor that the reader takes, as the gguf package writes them.

Usage: tests/golden/make_gguf_types.py; needs gguf and numpy. src/formats/gguf_rules_test.cc knows what stands in it.
"""
import pathlib

import gguf
import numpy as np

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]


def main():
    random = np.random.default_rng(5)
    writer = gguf.GGUFWriter(str(pathlib.Path(__file__).parent / "gguf" / "types.gguf"), "llama")
    writer.add_uint8("v.u8", 255)
    writer.add_int8("v.i8", -128)
    writer.add_uint16("v.u16", 65535)
    writer.add_int16("v.i16", -32768)
    writer.add_uint32("v.u32", 2**32 - 1)
    writer.add_int32("v.i32", -2**31)
    writer.add_float32("v.f32", 1e-5)
    writer.add_bool("v.bool", True)
    writer.add_string("v.string", "naïve ▁the")
    writer.add_uint64("v.u64", 2**64 - 1)
    writer.add_int64("v.i64", -2**63)
    writer.add_float64("v.f64", 0.1)
    writer.add_array("a.texts", ["", "<s>", "▁the"])
    writer.add_array("a.i32", [-1, 0, 7])
    writer.add_array("a.f32", [0.5, -1.5])
    writer.add_array("a.bool", [True, False])
    for kind in TYPES:
        number = gguf.GGMLQuantizationType[kind]
        values, size = gguf.GGML_QUANT_SIZES[number]
        # Two rows of 256 values; row 1 holds other bytes than row 0.
        raw = random.integers(0, 256, (2, 256 // values * size), dtype=np.uint8)
        if kind == "F32":
            writer.add_tensor(kind, raw.view(np.float32))
        elif kind == "F16":
            writer.add_tensor(kind, raw.view(np.float16))
        else:
            writer.add_tensor(kind, raw, raw_dtype=number)
    writer.add_tensor("cube", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
