#!/usr/bin/env python3
"""Compares what Ocellus computes with transformers, stage by stage.

Makes the same file as `ocellus trace` with transformers (weights upcast to f32, eager attention,
CPU, greedy) and, where a trace is given, prints how far each stage is from it:

  tools/compare_reference.py MODEL IMAGE "QUESTION" --ocellus build/bin/ocellus
  tools/compare_reference.py MODEL IMAGE "QUESTION" --trace FILE.safetensors
  tools/compare_reference.py MODEL IMAGE "QUESTION" --out FILE.safetensors

Tensors: pixel_values [3, h, w], tower_features [n, width * layers], image_embeddings [n, hidden],
input_ids [prompt], logits [generated, vocabulary], tokens [generated]. Of models whose pictures
become tiles (family_reference.py) pixel_values are in the shape of their processor, and there are
no tower_features.

Exit status: 0 all stages within the tolerance and all ids equal, 1 not, 2 usage,
3 a file that cannot be read or the engine failed. Needs: tests/golden/requirements.txt.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a path is a path, never a name on a hub
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
import transformers
from PIL import Image, ImageOps
from safetensors.numpy import load_file, save_file
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

import family_reference

FLOAT_STAGES = ("pixel_values", "tower_features", "image_embeddings", "logits")
INTEGER_STAGES = ("input_ids", "tokens")
STAGES = ("pixel_values", "tower_features", "image_embeddings", "input_ids", "logits", "tokens")
TOLERANCE = 1e-4  # of the largest magnitude in the reference's tensor
HELD_AS = {"f16": torch.float16, "bf16": torch.bfloat16}
DEFAULT_PROMPT = "USER: <image>\n{question} ASSISTANT:"


class InputError(Exception):
    """Something that the caller gave cannot be used."""


def open_picture(path):
    """The 8-bit RGB picture that every engine should see: upright, transparency over white."""
    picture = ImageOps.exif_transpose(Image.open(path))
    if picture.mode.startswith("I;16"):
        # Pillow clips these to white in convert("RGB"): the high byte is what was meant.
        grey = np.asarray(picture).astype(np.uint16) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return picture.convert("RGB")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def image_processor(model_dir, preprocess=None):
    """The Pillow-path processor with the checkpoint's settings; `preprocess`: None, crop or pad."""
    settings = read_json(model_dir / "preprocessor_config.json")
    if not settings:
        settings = read_json(model_dir / "processor_config.json").get("image_processor", {})
    settings = dict(settings)
    kind = settings.pop("image_processor_type", settings.pop("feature_extractor_type", ""))
    settings.pop("processor_class", None)
    if "siglip" in kind.lower():
        return SiglipImageProcessorPil(**settings)
    if preprocess is not None:
        settings["do_pad"] = preprocess == "pad"
    if settings.get("do_pad"):
        return LlavaImageProcessorPil(**settings)
    settings.pop("do_pad", None)
    return CLIPImageProcessorPil(**settings)


def chat_template(model_dir, tokenizer):
    """The checkpoint's template wherever it stands, or None."""
    loose = model_dir / "chat_template.jinja"
    if loose.exists():
        return loose.read_text(encoding="utf-8")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        template = read_json(model_dir / name).get("chat_template")
        if isinstance(template, list):
            template = {entry["name"]: entry["template"] for entry in template}.get("default")
        if template:
            return template
    return tokenizer.chat_template


def conversation(question, turns=(), system=""):
    """Messages in the form that templates of vision-language models take; the picture comes first."""
    def text(content):
        return [{"type": "text", "text": content}]

    messages = [{"role": "system", "content": text(system)}] if system else []
    asked = [turn["question"] for turn in turns] + [question]
    for index, content in enumerate(asked):
        image = [{"type": "image"}] if index == 0 else []
        messages.append({"role": "user", "content": image + text(content)})
        if index < len(turns):
            messages.append({"role": "assistant", "content": text(turns[index]["answer"])})
    return messages


def flatten(messages, image_token):
    """For templates that expect a message's content to be a string."""
    return [{"role": message["role"],
             "content": "".join(f"{image_token}\n" if part["type"] == "image" else part["text"]
                                for part in message["content"])} for message in messages]


class Reference:
    """A checkpoint, loaded by transformers."""

    def __init__(self, model_dir, dtype="f32", model=None):
        self.dir = pathlib.Path(model_dir)
        if not (self.dir / "config.json").exists():
            raise InputError(f"{self.dir}: no config.json there")
        kind = read_json(self.dir / "config.json").get("model_type")
        if kind != "llava":
            raise InputError(f"{self.dir}/config.json: model_type {kind}, expected llava")
        self.model = model or transformers.AutoModelForImageTextToText.from_pretrained(
            self.dir, dtype=torch.float32, attn_implementation="eager")
        self.model.eval()
        if dtype != "f32":  # held in fewer bits, computed in f32: what the engine does
            with torch.no_grad():
                for weight in self.model.parameters():
                    if weight.ndim > 1:
                        weight.copy_(weight.to(HELD_AS[dtype]))
        self.config = self.model.config
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(self.dir)
        self.image_token_id = self.config.image_token_id
        self.image_token = self.tokenizer.convert_ids_to_tokens(self.image_token_id)
        self.template = chat_template(self.dir, self.tokenizer)

    def prompt(self, question, turns=(), system=""):
        """The full text, with one image token in it."""
        if self.image_token in question + system + "".join(map(str, turns)):
            raise InputError(f"the text holds {self.image_token}: transformers would take it for "
                             "a second picture, Ocellus takes it for text")
        if self.template is None:
            if turns or system:
                raise InputError(f"{self.dir}: earlier turns need a chat template; it has none")
            text = DEFAULT_PROMPT.format(question=question)
            return text.replace("<image>", self.image_token, 1)
        messages = conversation(question, turns, system)

        def render(messages):
            return self.tokenizer.apply_chat_template(
                messages, chat_template=self.template, tokenize=False, add_generation_prompt=True)

        text = ""
        try:
            text = render(messages)
        except Exception:  # a template for plain strings meets a list: the next form, then
            pass
        if text.count(self.image_token) != 1:
            text = render(flatten(messages, self.image_token))
        if text.count(self.image_token) != 1:
            raise InputError(f"{self.dir}: the chat template gives {text.count(self.image_token)} "
                             f"image tokens ({self.image_token}), expected 1")
        return text

    def encode(self, prompt):
        """Ids of the prompt. A template that writes the start token itself gets no second one."""
        bos = self.tokenizer.bos_token
        written = bool(bos) and prompt.startswith(bos)
        return self.tokenizer(prompt, add_special_tokens=not written).input_ids

    def end_tokens(self):
        """generation_config.json first, then the language model's configuration."""
        for ids in (read_json(self.dir / "generation_config.json").get("eos_token_id"),
                    self.config.get_text_config().eos_token_id):
            if ids is not None:
                return list(ids) if isinstance(ids, (list, tuple)) else [ids]
        return []

    def pixels(self, picture, preprocess=None):
        return image_processor(self.dir, preprocess)(picture, return_tensors="pt").pixel_values.float()

    @torch.no_grad()
    def trace(self, picture, prompt, max_tokens=32, preprocess=None):
        """Every stage, as numpy arrays by their names in the trace file."""
        projector = next(module for name, module in self.model.named_modules()
                         if name.endswith("multi_modal_projector"))
        seen = {}

        def watch(_module, inputs, output):
            seen["tower_features"] = inputs[0].reshape(-1, inputs[0].shape[-1])
            seen["image_embeddings"] = output.reshape(-1, output.shape[-1])

        pixels = self.pixels(picture, preprocess)
        hook = projector.register_forward_hook(watch)
        try:
            self.model.get_image_features(pixels)  # how many rows a picture gives
            rows = seen["image_embeddings"].shape[0]
            ids = [token for single in self.encode(prompt)
                   for token in [single] * (rows if single == self.image_token_id else 1)]
            input_ids = torch.tensor([ids])
            end = self.end_tokens()
            settings = transformers.GenerationConfig(
                do_sample=False, max_new_tokens=max_tokens, output_logits=True,
                return_dict_in_generate=True, eos_token_id=end or None,
                pad_token_id=end[0] if end else 0)
            # The checkpoint's own sampling settings would otherwise leak into a greedy answer.
            self.model.generation_config = settings
            out = self.model.generate(
                input_ids=input_ids, attention_mask=torch.ones_like(input_ids),
                pixel_values=pixels, generation_config=settings)
        finally:
            hook.remove()
        return {
            "pixel_values": pixels[0].float().numpy(),
            "tower_features": seen["tower_features"].float().numpy(),
            "image_embeddings": seen["image_embeddings"].float().numpy(),
            "input_ids": np.asarray(ids, dtype=np.int64),
            "logits": torch.cat(out.logits).float().numpy(),
            "tokens": out.sequences[0, len(ids):].numpy().astype(np.int64),
        }


def first_difference(a, b):
    """Where two sequences part, or None."""
    if a.shape == b.shape and (a == b).all():
        return None
    common = min(len(a), len(b))
    unequal = np.flatnonzero(a[:common] != b[:common])
    return int(unequal[0]) if len(unequal) else common


def compare(reference, other, tolerance=TOLERANCE):
    """One dictionary a stage: {stage, ok, ...}."""
    rows = []
    parted = None
    stages = [stage for stage in STAGES if stage in reference]
    if "tokens" in other:
        parted = first_difference(reference["tokens"], other["tokens"].reshape(-1))
    for stage in stages:
        want = reference[stage]
        row = {"stage": stage, "shape": list(want.shape), "ok": False}
        rows.append(row)
        if stage not in other:
            row["problem"] = "missing in the trace"
            continue
        got = other[stage]
        if stage in INTEGER_STAGES:
            place = first_difference(want, got.reshape(-1))
            row["equal"] = row["ok"] = place is None
            if place is not None:
                row["problem"] = (f"differ from index {place} on: reference "
                                  f"{want[place:place + 4].tolist()}, trace "
                                  f"{got.reshape(-1)[place:place + 4].tolist()}")
            continue
        if stage == "logits" and parted is not None:
            # After the first other token the two read different texts.
            want, got = want[:parted + 1], got[:parted + 1]
        if list(want.shape) != list(got.shape):
            row["problem"] = f"shape {list(got.shape)} in the trace, expected {list(want.shape)}"
            continue
        largest = float(np.abs(want).max()) if want.size else 0.0
        distance = np.abs(want.astype(np.float64) - got.astype(np.float64))
        worst = float(distance.max()) if want.size else 0.0
        row.update(max_abs=worst, largest=largest, relative=worst / largest if largest else worst)
        row["ok"] = bool(row["relative"] <= tolerance)  # false for NaN too
        if not row["ok"]:
            place = np.unravel_index(int(np.nanargmax(distance)), distance.shape)
            row["problem"] = f"worst at {[int(i) for i in place]}"
    return rows


def run_ocellus(binary, model_dir, image, question, out, max_tokens, dtype, preprocess):
    command = [binary, "trace", str(image), question, "--model", str(model_dir), "--out", str(out),
               "--image-tokens", "model", "--max-tokens", str(max_tokens), "--temperature", "0", "--dtype", dtype]
    if preprocess:
        command += ["--preprocess", preprocess]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise InputError(f"{binary} trace: exit status {done.returncode}: {done.stderr.strip()}")


def print_table(rows, tolerance):
    print(f"{'stage':<18}{'shape':<18}{'max |difference|':>17}{'largest':>12}{'relative':>12}")
    for row in rows:
        shape = " x ".join(str(side) for side in row["shape"])
        if "relative" in row:
            numbers = f"{row['max_abs']:>17.3g}{row['largest']:>12.4g}{row['relative']:>12.3g}"
        else:
            numbers = f"{'equal' if row.get('equal') else '-':>17}{'':>24}"
        verdict = "  ok" if row["ok"] else "  BAD " + row.get("problem", "")
        print(f"{row['stage']:<18}{shape:<18}{numbers}{verdict}")
    good = all(row["ok"] for row in rows)
    print("same" if good else f"different (tolerance {tolerance:g} of the largest magnitude)")


def run_reference(args):
    """(stages, prompt, tokenizer)"""
    kind = read_json(args.model / "config.json").get("model_type")
    if kind in (None, "llava"):
        reference = Reference(args.model, args.dtype)
        prompt = reference.prompt(args.question)
        made = reference.trace(open_picture(args.image), prompt, args.max_tokens, args.preprocess)
        return made, prompt, reference.tokenizer
    if args.preprocess or args.dtype != "f32":
        raise InputError(f"--preprocess, --dtype: of model_type {kind} only the checkpoint's own "
                         "pictures and f32 can be compared")
    reference = family_reference.FamilyReference(args.model)
    messages = [{"role": "user", "content": [
        {"type": "image", "image": open_picture(args.image)},
        {"type": "text", "text": args.question}]}]
    prompt = reference.processor.apply_chat_template(messages, add_generation_prompt=True)
    return reference.trace(messages, args.max_tokens), prompt, reference.tokenizer


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, help="checkpoint directory")
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("question")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--trace", type=pathlib.Path, help="a file that `ocellus trace` wrote")
    source.add_argument("--ocellus", metavar="BIN", help="the program; its trace is made here")
    parser.add_argument("--out", type=pathlib.Path, help="write the reference's tensors here")
    parser.add_argument("--max-tokens", type=int, default=32, metavar="N")
    parser.add_argument("--preprocess", choices=("crop", "pad"),
                        help="default: what the checkpoint says")
    parser.add_argument("--dtype", choices=("f32", "f16", "bf16"), default="f32",
                        help="how matrices are held; arithmetic is f32 (default f32)")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE,
                        help="of the largest magnitude of a stage (default %(default)g)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser.parse_args()


def main():
    args = parse_arguments()
    transformers.utils.logging.disable_progress_bar()
    if not args.image.exists():
        raise InputError(f"{args.image}: no such file")
    made, prompt, tokenizer = run_reference(args)
    special = [token for token in tokenizer.all_special_tokens if token in args.question]
    if special:
        print(f"note: the question holds {special[0]!r}, which transformers reads as a control "
              "token and Ocellus as text: expect different input_ids", file=sys.stderr)
    answer = tokenizer.decode(made["tokens"], skip_special_tokens=True)
    if args.out:
        save_file({name: np.ascontiguousarray(value) for name, value in made.items()}, args.out)
    report = {"model": str(args.model), "prompt": prompt, "answer": answer,
              "transformers": transformers.__version__, "tolerance": args.tolerance}
    other = None
    if args.ocellus:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "trace.safetensors"
            run_ocellus(args.ocellus, args.model, args.image, args.question, path,
                        args.max_tokens, args.dtype, args.preprocess)
            other = load_file(path)
    elif args.trace:
        other = load_file(args.trace)
    rows = compare(made, other, args.tolerance) if other is not None else []
    report["stages"] = rows
    report["same"] = all(row["ok"] for row in rows) if rows else None
    if args.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        print(f"prompt   {prompt!r}\nanswer   {answer!r}")
        if rows:
            print_table(rows, args.tolerance)
        else:
            for stage in made:
                print(f"{stage:<18}{' x '.join(str(side) for side in made[stage].shape)}")
    return 1 if rows and not report["same"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (InputError, OSError, ValueError) as problem:
        print(f"compare_reference: {problem}".splitlines()[0], file=sys.stderr)
        sys.exit(3)
