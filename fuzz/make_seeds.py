#!/usr/bin/env python3
"""Writes fuzz/seeds from the golden data: run it again when that changes. What fuzzing found is kept by hand in seeds/<target>/found-*.

Usage: fuzz/make_seeds.py
"""
import json
import pathlib
import struct

FUZZ = pathlib.Path(__file__).parent
GOLDEN = FUZZ.parent / "tests" / "golden"
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # of GGUF's fixed-size values


def write(target, name, data):
    path = FUZZ / "seeds" / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def gguf_metadata(data):
    """The file's header and keys, without tensors."""
    at = 24

    def text():
        nonlocal at
        (length,) = struct.unpack_from("<Q", data, at)
        at += 8 + length

    def value(kind):
        nonlocal at
        if kind == 8:
            text()
        elif kind == 9:
            kind, count = struct.unpack_from("<IQ", data, at)
            at += 12
            for _ in range(count):
                value(kind)
        else:
            at += SIZES[kind]

    (count,) = struct.unpack_from("<Q", data, 16)
    for _ in range(count):
        text()
        (kind,) = struct.unpack_from("<I", data, at)
        at += 4
        value(kind)
    return data[:8] + struct.pack("<Q", 0) + data[16:at]


def safetensors_header(data):
    """The first tensor alone."""
    (length,) = struct.unpack_from("<Q", data, 0)
    header = json.loads(data[8 : 8 + length])
    name, tensor = min(((k, v) for k, v in header.items() if k != "__metadata__"), key=lambda kv: kv[1]["data_offsets"][1] - kv[1]["data_offsets"][0])
    begin, end = tensor["data_offsets"]
    small = json.dumps({"__metadata__": {"format": "pt"}, name: tensor | {"data_offsets": [0, end - begin]}}).encode()
    small += b" " * (-len(small) % 8)
    return struct.pack("<Q", len(small)) + small + data[8 + length + begin : 8 + length + end]


def main():
    templates = {}
    for case in json.loads((GOLDEN / "chat_templates.json").read_text()):
        templates[case["name"]] = case["template"]
    for path in sorted(GOLDEN.glob("*/model/chat_template.jinja")):
        templates[path.parts[-3]] = path.read_text()
    for name, template in templates.items():
        # Small seeds are tried more often: what exercises the language goes line by line.
        parts = template.splitlines() if name == "language_more" else [template]
        for i, part in enumerate(parts):
            write("template_fuzz", f"{name}-{i:02}" if len(parts) > 1 else name, part)
        write("model_fuzz", f"template-{name}", "3" + json.dumps({"chat_template": template}))

    for path in sorted(GOLDEN.glob("gguf/*/*.gguf")):
        write("gguf_fuzz", f"{path.parts[-2]}-{path.stem}", gguf_metadata(path.read_bytes()))
    write("gguf_fuzz", "types", (GOLDEN / "gguf" / "types.gguf").read_bytes())

    kinds = {"config.json": "0", "preprocessor_config.json": "1", "processor_config.json": "1", "generation_config.json": "2", "chat_template.json": "3",
             "tokenizer_config.json": "3", "model.safetensors.index.json": "5"}
    for model in ("bf16_shards", "f16_tied_bpe", "qwen2_chatml", "siglip_llama", "spm_only"):
        folder = GOLDEN / model / "model"
        for name, kind in kinds.items():
            if (folder / name).exists():
                write("model_fuzz", f"{model}-{name}", kind.encode() + (folder / name).read_bytes())
        if (folder / "model.safetensors").exists():
            write("model_fuzz", f"{model}-safetensors", b"4" + safetensors_header((folder / "model.safetensors").read_bytes()))
    for name in ("added_flags", "clip_llama", "f16_tied_bpe", "qwen2_chatml"):
        data = (GOLDEN / name / "model" / "tokenizer.json").read_bytes()
        write("tokenizer_fuzz", f"{name}-parse", b"0" + data)
        write("tokenizer_fuzz", f"{name}-table", b"1" + data)
    spm = GOLDEN / "spm_only" / "model"
    write("tokenizer_fuzz", "spm_only", b"2" + (spm / "tokenizer.model").read_bytes() + b"\n" + (spm / "tokenizer_config.json").read_bytes().lstrip())
    write("tokenizer_fuzz", "merges", "3a\nb\nĠ\nab\nĠab\n<s>\n\na b\nĠ ab\n")

    for folder in sorted(GOLDEN.glob("families/*/model")):
        texts = (folder / "config.json").read_bytes() + b"\0" + (folder / "preprocessor_config.json").read_bytes()
        for name, (height, width) in {"photo": (768, 1024), "thin": (2, 9000)}.items():
            write("family_fuzz", f"{folder.parent.name}-{name}", struct.pack(">HHBB", height - 1, width - 1, 4, 40) + texts)

    urls = ["https://a.example/b/c?d=e#f", "http://1.2.3.4:80/", "https://[2001:db8::1]:8443/x", "../y?z", "//b.example/c", "data:image/png;base64,iVBORw0KGgo=",
            "data:,a%20b", "10.0.0.0/8", "a.example:8080", "[::1]:99"]
    for i, url in enumerate(urls):
        write("url_fuzz", f"{i:02}", url)


if __name__ == "__main__":
    main()
