#!/usr/bin/env python3
"""Makes the golden data beside this file from transformers: see README.md.

  pip install -r requirements.txt
  ./make_golden.py                      everything
  ./make_golden.py --only clip_llama    one part (a model's name, pictures, preprocessing,
                                        tokenizers or configs)
  ./make_golden.py --search clip_llama  looks for a seed whose answers are worth comparing

Everything is seeded: on one machine and with the pinned versions two runs give the same bytes.
"""

import argparse
import json
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent / "tools")]

import numpy as np
import PIL
import torch
import transformers
from safetensors.numpy import save_file

import compare_reference
from maker import (bpe, configs, models, pictures, preprocessing, tokenizer_cases, vocabularies,
                   weights)

MAX_TOKENS = 32
# One key: safetensors writes several in no fixed order.
VERSIONS = {"made_with": f"transformers {transformers.__version__}, torch "
                         f"{torch.__version__.split('+')[0]}, Pillow {PIL.__version__}"}
CLOSEST = 1e-3  # smallest gap between the best two logits, of the largest magnitude
VARIED = 10  # different tokens in an answer at least


def write_checkpoint(golden, folder, seed):
    """The directory as people have it. Returns the weights by their names in the reference."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    bpe.write_json(folder / "config.json", golden.config)
    if golden.generation is not None:
        bpe.write_json(folder / "generation_config.json", golden.generation)
    for name, content in golden.processors.items():
        bpe.write_json(folder / name, content)
    vocabularies.write(golden.vocabulary, folder, golden.template)
    config = transformers.AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"
    model = transformers.LlavaForConditionalGeneration(config).to(torch.float32).eval()
    weights.fill(model, seed, golden.dtype)
    tensors = weights.stored(model, golden.spelling, golden.dtype, golden.leftovers)
    weights.save(tensors, folder, golden.shards, bpe.write_json)
    return model.state_dict()


def check_loaded(reference, expected):
    """The reference must find every weight under the names that were written."""
    for name, value in reference.model.state_dict().items():
        if not torch.equal(value, expected[name]):
            raise SystemExit(f"{reference.dir}: {name} is not what was saved")


def run_cases(golden, reference):
    """(tensors by name, cases with their prompts)."""
    tensors, cases = {}, []
    for entry in golden.cases:
        prompt = reference.prompt(entry["question"], entry.get("turns", ()), entry.get("system", ""))
        made = reference.trace(compare_reference.open_picture(HERE / "images" / entry["image"]),
                               prompt, MAX_TOKENS, entry["preprocess"])
        tensors.update({f"{entry['id']}/{name}": np.ascontiguousarray(value)
                        for name, value in made.items()})
        keys = {key: entry[key] for key in ("id", "image", "preprocess")}
        more = {key: entry[key] for key in ("system", "turns") if key in entry}
        text = reference.tokenizer.decode(made["tokens"], skip_special_tokens=True)
        cases.append({**keys, "question": entry["question"], **more, "prompt": prompt,
                      "answer": text})
    return tensors, cases


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
    golden = models.ALL[name]()
    folder = HERE / name
    expected = write_checkpoint(golden, folder / "model", golden.seed)
    reference = compare_reference.Reference(folder / "model")
    check_loaded(reference, expected)
    tensors, cases = run_cases(golden, reference)
    gap, varied = quality(tensors)
    if gap < CLOSEST or varied < VARIED:
        raise SystemExit(f"{name}: smallest gap {gap:.2g}, {varied} different tokens: "
                         f"find another seed with --search {name}")
    save_file(tensors, folder / "expected.safetensors", metadata=VERSIONS)
    bpe.write_json(folder / "cases.json", cases)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"{name}: {len(cases)} cases, {size / 1e6:.2f} MB, smallest gap {gap:.2g}, "
          f"at least {varied} different tokens")


def search(name, tries):
    golden = models.ALL[name]()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "model"
        for seed in range(1, tries + 1):
            write_checkpoint(golden, folder, seed)
            tensors, cases = run_cases(golden, compare_reference.Reference(folder))
            gap, varied = quality(tensors)
            lengths = [len(tensors[f"{entry['id']}/tokens"]) for entry in cases]
            good = gap >= CLOSEST and varied >= VARIED
            print(f"{name}: seed {seed}: gap {gap:.2g}, {varied} different tokens, lengths "
                  f"{lengths}{'  good' if good else ''}", flush=True)
            if good:
                return


def write_pictures():
    folder = HERE / "images"
    if folder.exists():
        shutil.rmtree(folder)
    names = pictures.write_pictures(folder)
    print(f"pictures: {len(names)}, {sum(p.stat().st_size for p in folder.iterdir()) / 1e3:.0f} kB")


def write_preprocessing():
    folder = HERE / "images"
    names = sorted(path.name for path in folder.iterdir())
    tensors, cases = preprocessing.run(folder, names, compare_reference.open_picture)
    save_file(tensors, HERE / "images_expected.safetensors", metadata=VERSIONS)
    (HERE / "images.json").write_text(json.dumps(cases, indent=1) + "\n")
    size = sum(tensor.nbytes for tensor in tensors.values())
    print(f"preprocessing: {len(tensors)} tensors, {size / 1e6:.2f} MB")


def write_tokenizers():
    # One model for each tokenizer that differs.
    names = ["clip_llama", "bf16_shards", "multi_feature_full", "mistral_window", "linear_rope",
             "spm_only", "f16_tied_bpe", "qwen2_chatml"]
    alone = {"added_flags": vocabularies.added_flags(),
             "added_normalized": vocabularies.added_normalized()}
    for name, file in alone.items():
        (HERE / name / "model").mkdir(parents=True, exist_ok=True)
        bpe.write_json(HERE / name / "model" / "tokenizer.json", file, indent=None)

    def load(name):
        if name in alone:
            return transformers.PreTrainedTokenizerFast(
                tokenizer_file=str(HERE / name / "model" / "tokenizer.json"))
        return transformers.AutoTokenizer.from_pretrained(HERE / name / "model")

    names += alone
    made = tokenizer_cases.run(names, load)
    lines = []
    for entry in made["tokenizers"]:
        fields = [f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in entry.items()]
        lines.append("  {\n" + ",\n".join(fields) + "\n  }")
    text = ('{\n "texts": ' + json.dumps(made["texts"]) + ',\n "tokenizers": [\n' +
            ",\n".join(lines) + "\n ]\n}\n")
    (HERE / "tokenizer_cases.json").write_text(text)
    print(f"tokenizers: {len(names)} x {len(made['texts'])} texts, {len(text) / 1e3:.0f} kB")


def write_configs():
    made = configs.run(HERE / "configs", {name: HERE / name / "model" for name in models.ALL},
                       bpe.write_json)
    print(f"configs: {len(made)}")


FIRST = {"pictures": write_pictures}
LAST = {"preprocessing": write_preprocessing, "tokenizers": write_tokenizers,
        "configs": write_configs}
PARTS = {**FIRST, **LAST}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*FIRST, *models.ALL, *LAST]
    parser.add_argument("--only", choices=names, action="append", metavar="PART",
                        help=f"one of {', '.join(names)}; may be given several times")
    parser.add_argument("--search", choices=list(models.ALL), metavar="MODEL")
    parser.add_argument("--tries", type=int, default=60, help="seeds to try (default %(default)s)")
    args = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # sums in one order, whatever the machine
    if args.search:
        return search(args.search, args.tries)
    for name in args.only or names:
        PARTS[name]() if name in PARTS else make_model(name)


if __name__ == "__main__":
    main()
