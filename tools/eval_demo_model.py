#!/usr/bin/env python3
"""How many generated questions, none seen in training, does the demo model answer exactly?

  tools/eval_demo_model.py [--ocellus build/release/bin/ocellus] [--count 1000] [--seed 0] [--transformers]

Draws pictures of many sizes (no side longer than one and a half times the other) in several file formats, asks the built `ocellus` one question each, as a user would, and prints the
share of exact answers by kind of question, the total last, in percent. With --transformers the same questions go to the
reference too and the answers are compared. Needs Pillow; --transformers also needs torch and transformers.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from demo.questions import make_question  # noqa: E402
from demo.scenes import draw, make_scene  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent
FORMATS = [("png", {}), ("jpg", {"quality": 92}), ("webp", {"quality": 90}), ("gif", {}), ("bmp", {})]


def cases(count: int, seed: int, folder: pathlib.Path):
    """(picture, kind, question, answer); the seeds of training begin with another word, so no case is in it."""
    for number in range(count):
        rng = random.Random(f"evaluation {seed} {number}")
        scene = make_scene(rng)
        kind, question, answer = make_question(rng, scene, "describe" if rng.random() < 0.08 else None)
        width = rng.randint(80, 600)
        height = max(width * 2 // 3, min(rng.randint(80, 600), width * 3 // 2))
        suffix, options = rng.choice(FORMATS)
        path = folder / f"{number}.{suffix}"
        draw(scene, width, height, rng).save(path, **options)
        yield path, kind, question, answer


def ask_ocellus(binary: str, model: pathlib.Path, picture: pathlib.Path, question: str, weights: str = "auto", tower: str = "auto") -> str:
    result = subprocess.run([binary, "ask", "--model", model, "--json", "--temperature", "0", "--weights", weights, "--tower-weights", tower,
                             picture, question],
                            capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{picture}: exit status {result.returncode}: {result.stderr.strip()}")
    return json.loads(result.stdout)["answer"].strip()


class Reference:
    """The same weights in transformers, f32, greedy."""

    def __init__(self, model: pathlib.Path):
        import torch
        from transformers import AutoImageProcessor, AutoTokenizer, LlavaForConditionalGeneration
        self.torch = torch
        self.model = LlavaForConditionalGeneration.from_pretrained(model, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.pictures = AutoImageProcessor.from_pretrained(model, backend="pil")
        tower = self.model.config.vision_config
        self.image_tokens = (tower.image_size // tower.patch_size) ** 2

    def ask(self, picture: pathlib.Path, question: str) -> str:
        from PIL import Image, ImageOps
        image = ImageOps.exif_transpose(Image.open(picture)).convert("RGB")
        pixels = self.pictures(image, return_tensors="pt")["pixel_values"]
        messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
        prompt = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        prompt = prompt.replace("<image>", "<image>" * self.image_tokens)
        inputs = self.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with self.torch.no_grad():
            out = self.model.generate(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"],
                                      pixel_values=pixels, do_sample=False, max_new_tokens=128)
        return self.tokenizer.decode(out[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True).strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ocellus", default=str(ROOT / "build/release/bin/ocellus"), help="the program; 'none': only the reference")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models/demo")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--transformers", action="store_true", help="also ask the reference, and compare")
    parser.add_argument("--weights", default="auto", help="of `ocellus ask`")
    parser.add_argument("--tower-weights", default="auto", help="of `ocellus ask`")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--show-wrong", type=int, default=0, metavar="N", help="print the first N wrong answers")
    args = parser.parse_args()
    use_ocellus = args.ocellus != "none"
    reference = Reference(args.model) if args.transformers or not use_ocellus else None

    kinds, same, shown = {}, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (picture, kind, question, answer) in enumerate(cases(args.count, args.seed, pathlib.Path(folder)), 1):
            given = ask_ocellus(args.ocellus, args.model, picture, question, args.weights, args.tower_weights) if use_ocellus else None
            if reference:
                by_reference = reference.ask(picture, question)
                same += given == by_reference
                given = by_reference if given is None else given
            good, total = kinds.get(kind, (0, 0))
            kinds[kind] = (good + (given == answer), total + 1)
            if given != answer and shown < args.show_wrong:
                shown += 1
                print(f"wrong: {question!r}: expected {answer!r}, found {given!r}", file=sys.stderr)
            if number % 100 == 0:
                print(f"{number}/{args.count}", file=sys.stderr)
            picture.unlink()
    percent = {k: 100 * g / t for k, (g, t) in sorted(kinds.items())}
    total = 100 * sum(g for g, _ in kinds.values()) / max(1, args.count)
    if args.json:
        print(json.dumps({"kinds": percent, "identical": same if use_ocellus and reference else None, "total": total}))
        return 0
    for kind, share in percent.items():
        print(f"{kind:10s} {share:6.1f} %  of {kinds[kind][1]}")
    if use_ocellus and reference:
        print(f"identical to transformers: {same} of {args.count}")
    print(f"total      {total:6.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
