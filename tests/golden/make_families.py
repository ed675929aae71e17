#!/usr/bin/env python3
"""Makes the golden models whose pictures become tiles, from transformers: see README.md.

  pip install -r requirements.txt
  ./make_families.py                       pictures and all models
  ./make_families.py --only llava_next     one part (pictures, or a model's name)
  ./make_families.py --search llava_next   looks for a seed whose answers are worth comparing

Pixels are kept as their SHA-256: they have to be equal, and are large.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import load_file

import family_reference
import make_golden
from maker import bpe, families, pictures, vocabularies, weights

FOLDER = HERE / "families"
PICTURES = FOLDER / "pictures"
MAX_TOKENS = 12
VARIED = 6  # different tokens in an answer at least


def write_pictures():
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for seed, (name, width, height) in enumerate(families.PICTURES, 1):
        pictures.scene(width, height, seed).save(PICTURES / f"{name}.png")


def write_checkpoint(family, folder, seed):
    """The directory as people have it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bpe.write_json(folder / "config.json", family.config)
    if family.generation is not None:
        bpe.write_json(folder / "generation_config.json", family.generation)
    for name, content in family.processors.items():
        bpe.write_json(folder / name, content)
    vocabularies.write(family.vocabulary, folder, family.template)
    config = transformers.AutoConfig.from_pretrained(folder)
    model = transformers.AutoModelForImageTextToText.from_config(
        config, dtype=torch.float32, attn_implementation="eager").eval()
    weights.fill(model, seed, family.dtype)
    weights.save(weights.stored(model, family.spelling, family.dtype), folder, 1, bpe.write_json)
    return {name: value.clone() for name, value in model.state_dict().items()}


def opened(messages):
    """The messages with their pictures in place of names."""
    return [{**message, "content": [
        {**part, "image": Image.open(PICTURES / part["image"]).convert("RGB")}
        if part["type"] == "image" else part for part in message["content"]]}
            for message in messages]


def run_cases(family, folder, reference):
    """(tensors by name, cases)."""
    tensors, cases = {}, []
    for entry in [*families.CASES, *family.limits]:
        settings = entry.get("reference")
        model = reference if settings is None else family_reference.FamilyReference(
            folder, settings.get("processor"), settings.get("model"))
        made = model.trace(opened(entry["messages"]), MAX_TOKENS)
        pixels = np.ascontiguousarray(made.pop("pixel_values"))
        kept = {name: value for name, value in entry.items() if name != "reference"}
        cases.append({**kept, "pixel_shape": list(pixels.shape),
                      "pixel_sha256": hashlib.sha256(pixels.tobytes()).hexdigest()})
        tensors.update({f"{entry['id']}/{name}": np.ascontiguousarray(value)
                        for name, value in made.items()})
    return tensors, cases


OWN_NAMES = (("vision_tower.encoder.layer.", "vision_model.encoder.layers."),
             ("vision_tower.embeddings.cls_token", "vision_model.embeddings.class_embedding"),
             ("vision_tower.embeddings.patch_embeddings.projection",
              "vision_model.embeddings.patch_embedding"),
             ("vision_tower.embeddings.position_embeddings",
              "vision_model.embeddings.position_embedding"),
             ("attention.projection_layer", "attn.proj"), ("layernorm_before", "norm1"),
             ("layernorm_after", "norm2"), ("lambda_1", "ls1"), ("lambda_2", "ls2"),
             ("multi_modal_projector.layer_norm", "mlp1.0"),
             ("multi_modal_projector.linear_1", "mlp1.1"),
             ("multi_modal_projector.linear_2", "mlp1.3"))


def write_internvl_own():
    """The golden InternVL model in the layout of its authors, vocabulary in two files."""
    source, folder = FOLDER / "internvl" / "model", FOLDER / "internvl_own"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    stored, tensors = load_file(source / "model.safetensors"), {}
    for name, value in stored.items():
        if "attention.q_proj" in name:
            value = torch.cat([stored[name.replace("q_proj", part)]
                               for part in ("q_proj", "k_proj", "v_proj")])
            name = name.replace("attention.q_proj", "attn.qkv")
        elif "vision_tower" in name and ("k_proj" in name or "v_proj" in name):
            continue
        for theirs, own in OWN_NAMES:
            name = name.replace(theirs, own)
        tensors[name] = value.contiguous()
    weights.save(dict(sorted(tensors.items())), folder, 1, bpe.write_json)
    config = json.loads((source / "config.json").read_text())
    vision = config["vision_config"]
    bpe.write_json(folder / "config.json", {
        "architectures": ["InternVLChatModel"], "model_type": "internvl_chat",
        "downsample_ratio": 0.5, "dynamic_image_size": True, "force_image_size": 28,
        "max_dynamic_patch": 6, "min_dynamic_patch": 1, "ps_version": "v2", "select_layer": -1,
        "template": "internvl2_5", "use_thumbnail": True, "llm_config": config["text_config"],
        "vision_config": {
            "architectures": ["InternVisionModel"], "hidden_act": "gelu",
            "hidden_size": vision["hidden_size"], "image_size": 28,
            "intermediate_size": vision["intermediate_size"], "layer_norm_eps": 1e-6,
            "model_type": "intern_vit_6b", "norm_type": "layer_norm",
            "num_attention_heads": vision["num_attention_heads"],
            "num_hidden_layers": vision["num_hidden_layers"], "patch_size": 7,
            "qk_normalization": False, "qkv_bias": True}})
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    bpe.write_json(folder / "vocab.json", tokenizer["model"]["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(
        merge if isinstance(merge, str) else " ".join(merge)
        for merge in tokenizer["model"]["merges"]) + "\n", encoding="utf-8")
    bpe.write_json(folder / "added_tokens.json",
                   {token["content"]: token["id"] for token in tokenizer["added_tokens"]})
    for name in ("tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        shutil.copy(source / name, folder / name)


def quality(tensors):
    """(smallest relative gap of a greedy choice, fewest different tokens of a full answer)."""
    gap, varied = 1.0, MAX_TOKENS
    for name, value in tensors.items():
        if name.endswith("/logits"):
            best = np.sort(value, axis=1)[:, -2:]
            gap = min(gap, float((best[:, 1] - best[:, 0]).min() / np.abs(value).max()))
        if name.endswith("/tokens") and len(value) == MAX_TOKENS:
            varied = min(varied, len(set(value.tolist())))
    return gap, varied


def make_model(name):
    family = families.ALL[name]()
    folder = FOLDER / name
    expected = write_checkpoint(family, folder / "model", family.seed)
    reference = family_reference.FamilyReference(folder / "model")
    make_golden.check_loaded(reference, expected)
    tensors, cases = run_cases(family, folder / "model", reference)
    gap, varied = quality(tensors)
    if gap < make_golden.CLOSEST or varied < VARIED:
        raise SystemExit(f"{name}: smallest gap {gap:.2g}, {varied} different tokens: "
                         f"find another seed with --search {name}")
    save_file(tensors, folder / "expected.safetensors", metadata=make_golden.VERSIONS)
    bpe.write_json(folder / "cases.json", cases)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if name == "internvl":
        write_internvl_own()
    print(f"{name}: {len(cases)} cases, {size / 1e6:.2f} MB, smallest gap {gap:.2g}, "
          f"at least {varied} different tokens")


def search(name, tries):
    family = families.ALL[name]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "model"
        for seed in range(1, tries + 1):
            write_checkpoint(family, folder, seed)
            tensors, _ = run_cases(family, folder, family_reference.FamilyReference(folder))
            gap, varied = quality(tensors)
            good = gap >= make_golden.CLOSEST and varied >= VARIED
            print(f"{name}: seed {seed}: gap {gap:.2g}, {varied} different tokens"
                  f"{'  good' if good else ''}", flush=True)
            if good:
                return


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ["pictures", *families.ALL]
    parser.add_argument("--only", choices=names, action="append", metavar="PART",
                        help=f"one of {', '.join(names)}; may be given several times")
    parser.add_argument("--search", choices=list(families.ALL), metavar="MODEL")
    parser.add_argument("--tries", type=int, default=40, help="seeds to try (default %(default)s)")
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    if args.search:
        return search(args.search, args.tries)
    for name in args.only or names:
        write_pictures() if name == "pictures" else make_model(name)


if __name__ == "__main__":
    main()
