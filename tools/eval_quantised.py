#!/usr/bin/env python3
"""What does a weight type do to a model's predictions, and how much of that is arithmetic?

  tools/eval_quantised.py [--ocellus build/release/bin/ocellus] [--types q4_k,q8_0] [--markdown | --json]

Compares the next-token distributions with those of the same weights in f32, at every position of a given text: prompt positions, computed
together, and generated positions, computed one token at a time. Models: the demo model, and random-weight models in the shapes of real ones
(tools/quality/random_model.py), which are made on the first run and kept in --cache (about 2 GB).

  KL, exact   the mean KL divergence from f32 with the rounded weights in f32 arithmetic: the type's own cost
  KL          the same with the engine's arithmetic for the type
  growth      what the arithmetic adds: KL / exact - 1, with its standard error over the positions
  llama.cpp's the growth when the layers' products round activations as llama.cpp does for the type and the rest is exact: computed in numpy,
              with and without that rounding (tools/quality/activations.py)
  top-1       positions with the same likeliest token as f32

Exit status: 0 all limits kept, 1 one was missed, 3 something failed. Needs numpy and gguf; --accuracy also Pillow.
"""
import argparse
import json
import os
import pathlib
import platform
import random
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from quality import activations, measure, random_model, report as reports, safetensors_io  # noqa: E402
from quality.decoder import Config, Decoder  # noqa: E402
from quality.engine import Engine, EngineError, RoundedWeights, llama_cpp_logits, plain_logits  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent
PICTURES = ROOT / "examples/pictures"
GOLDEN = ROOT / "tests/golden/clip_llama/model"  # its tokenizer is the random models'
ALL_TYPES = "f16,bf16,q8_0,q8,q6_k,q5_k,q5_1,q5_0,q4_k,q4_1,q4_0,q4,q3_k,q2_k"
TYPES = "bf16,q8_0,q8,q6_k,q5_k,q4_k,q4_0,q4"
TOWER_TYPES = "bf16,q8_0,q8"
GGUF_LEGACY = ("q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "f16", "bf16")  # the gguf package rounds these itself
DEMO_QUESTIONS = ("Describe the picture.", "How many objects are there?", "What color is the circle?")
WORDS = ("picture circle square triangle house image person street red green blue yellow black white left right top bottom centre "
         "background what colour is the on there a at of how many can you see I them describe yes it no").split()


class Text:
    """A picture, a question, the answer that is forced, and what f32 makes of them."""

    def __init__(self, engine, model, picture, question, forced=()):
        self.model, self.picture, self.question = model, picture, question
        if not len(forced):  # the model's own answer
            forced = engine.trace(model, picture, question)["tokens"]
        self.forced = forced
        self.reference = self.run(engine)
        self.ids = np.concatenate([self.reference["input_ids"], self.reference["tokens"][:-1]])

    def run(self, engine, **options):
        return engine.trace(self.model, self.picture, self.question, forced=self.forced, **options)

    def parts(self, image_token, trace):
        """{part: logits}: text positions of the prompt but the last, and those from which the answer comes (the first row of it is
        the prompt's last)."""
        text = self.reference["input_ids"][:-1] != image_token
        return {"prompt": trace["prompt_logits"][:-1][text], "generated": trace["logits"][1:]}

    def split(self, image_token, logits):
        """The same of the logits of all positions, one matrix."""
        prompt = len(self.reference["input_ids"])
        return self.parts(image_token, {"prompt_logits": logits[:prompt], "logits": logits[prompt - 1:]})


class Model:
    def __init__(self, name, folder, engine, args):
        self.name, self.folder, self.engine, self.args = name, folder, engine, args
        self.config = Config.from_json(json.loads((folder / "config.json").read_text()))
        self.decoder = Decoder(safetensors_io.read(folder / "model.safetensors"), self.config)
        self.texts = self.make_texts()
        self.reference = self.join(text.parts(self.config.image_token, text.reference) for text in self.texts)

    def make_texts(self):
        if self.name == "demo":
            return [Text(self.engine, self.folder, picture, question) for picture in sorted(PICTURES.iterdir())
                    for question in DEMO_QUESTIONS]
        rng = random.Random(self.args.seed)
        question = " ".join(rng.choice(WORDS) for _ in range(self.args.words))
        forced = [rng.choice([i for i in range(3, self.config.vocabulary) if i != self.config.image_token]) for _ in range(self.args.generate)]
        return [Text(self.engine, self.folder, PICTURES / "scene.png", question, forced)]

    @staticmethod
    def join(parts):
        parts = list(parts)
        return {part: np.concatenate([each[part] for each in parts]) for part in reports.PARTS}

    def logits(self, **options):
        traces = [text.run(self.engine, **options) for text in self.texts]
        return self.join(text.parts(self.config.image_token, trace) for text, trace in zip(self.texts, traces)), traces

    def compare(self, found, exact=None):
        """`exact`: the logits with the type's values in f32 arithmetic, where growth is asked for."""
        result = {}
        for part in reports.PARTS:
            rows = measure.divergences(self.reference[part], found[part])
            result[part] = {"kl": float(rows.mean()), "top1": measure.agreement(self.reference[part], found[part])}
            if exact:
                own = measure.divergences(self.reference[part], exact[part])
                result[part] |= {"exact": float(own.mean()), "growth": measure.growth(rows, own)}
        return result

    def numpy_distance(self):
        """How far the numpy decoder is from the engine, of the largest logit: 1e-4 would be too far."""
        text = self.texts[0]
        made = self.join([text.split(self.config.image_token, plain_logits(self.decoder, text.ids, text.reference["image_embeddings"]))])
        want = self.join([text.parts(self.config.image_token, text.reference)])
        return max(float(np.abs(made[p] - want[p]).max() / np.abs(want[p]).max()) for p in reports.PARTS)

    def measure_type(self, kind):
        row = {"type": kind}
        if kind not in self.args.known:
            return {**row, "skipped": "not a type of this build"}
        if self.config.width % activations.BLOCK.get(kind, 1) != 0:
            return {**row, "skipped": f"rows of {self.config.width} are no whole blocks"}
        row |= self.compare(self.logits(weights=kind)[0], self.logits(weights=kind, expand=True)[0])
        if kind in activations.BY_WEIGHT_TYPE and self.args.llama_cpp:
            row["llama_cpp"] = self.measure_llama_cpp(kind)
        return row

    def measure_llama_cpp(self, kind):
        with tempfile.TemporaryDirectory(dir=self.args.cache) as folder:
            quantised = None
            if kind not in GGUF_LEGACY:
                if not self.engine.can_quantize():
                    return None
                quantised = pathlib.Path(folder) / "model.gguf"
                self.engine.run("quantize", self.folder, quantised, "--weights", kind)
            rounded = RoundedWeights(self.decoder, kind, quantised)
            pairs = llama_cpp_logits(self.decoder, rounded, [(text.ids, text.reference["image_embeddings"]) for text in self.texts])
        if pairs is None:
            return None
        exact, found = (self.join(text.split(self.config.image_token, pair[which]) for text, pair in zip(self.texts, pairs)) for which in (0, 1))
        return self.compare(found, exact)

    def measure_tower(self, kind, q4_0):
        if kind not in self.args.known:
            return {"type": kind, "skipped": "not a type of this build"}
        found, traces = self.logits(tower=kind)
        features = [np.concatenate([np.ravel(t["tower_features"]) for t in each]).astype(np.float64)
                    for each in ([text.reference for text in self.texts], traces)]
        row = {"type": kind, **self.compare(found), "features": float(np.linalg.norm(features[1] - features[0]) / np.linalg.norm(features[0]))}
        row["share"] = max(row[part]["kl"] / q4_0[part]["kl"] for part in reports.PARTS) if q4_0 else None
        return row

    def measure(self):
        types, towers = [], []
        for kind in self.args.types:
            started = time.monotonic()
            types.append(self.measure_type(kind))
            print(f"{self.name} {kind}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        q4_0 = next((row for row in types if row["type"] == "q4_0" and not row.get("skipped")), None)
        towers = [self.measure_tower(kind, q4_0) for kind in self.args.tower_types]
        whole = np.concatenate(list(self.reference.values()))
        return {"name": self.name, "rows": {part: len(rows) for part, rows in self.reference.items()}, "entropy": measure.entropy(whole),
                "numpy": self.numpy_distance(), "types": types, "tower": towers}


def accuracy(args):
    """{type: percent of exact answers} of the demo model; the same questions for all. Its rows are too short for blocks of 256."""
    import eval_demo_model as demo
    kinds = ["f32", *(kind for kind in args.types if kind in args.known and reports.bits_of(kind) in reports.ACCURACY_POINTS
                      and not kind.endswith("_k"))]
    good = dict.fromkeys(kinds, 0)
    with tempfile.TemporaryDirectory() as folder:
        for picture, _, question, answer in demo.cases(args.accuracy, 0, pathlib.Path(folder)):
            for kind in kinds:
                good[kind] += demo.ask_ocellus(args.ocellus, ROOT / "models/demo", picture, question, kind) == answer
            picture.unlink()
    return {kind: 100 * count / args.accuracy for kind, count in good.items()}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [name for name in text.split(",") if name]  # noqa: E731
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ocellus"
    parser.add_argument("--ocellus", default=str(ROOT / "build/release/bin/ocellus"), metavar="BIN")
    parser.add_argument("--models", type=names, default=["demo", *random_model.SHAPES], help="of: demo, " + ", ".join(random_model.SHAPES))
    parser.add_argument("--types", type=names, default=names(TYPES), help=f"default {TYPES}; all: {ALL_TYPES}")
    parser.add_argument("--tower-types", type=names, default=names(TOWER_TYPES), help=f"default {TOWER_TYPES}")
    parser.add_argument("--layers", type=int, help="of the random models' decoders (default: 2 and 4)")
    parser.add_argument("--tower-layers", type=int, default=2, help="of their towers (default 2)")
    parser.add_argument("--words", type=int, default=150, help="of the prompt for the random models (default 150)")
    parser.add_argument("--generate", type=int, default=64, help="tokens forced on the random models (default 64)")
    parser.add_argument("--no-llama-cpp", dest="llama_cpp", action="store_false", help="leave out llama.cpp's scheme, half of the time")
    parser.add_argument("--accuracy", type=int, default=0, metavar="N", help="ask the demo model N questions in each type of 4 and 8 bits (1000 say something)")
    parser.add_argument("--cache", type=pathlib.Path, default=cache, help="where random models are kept (default %(default)s)")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true")
    shown.add_argument("--markdown", action="store_true", help="tables for docs/numerics.md")
    args = parser.parse_args()
    if args.types == ["all"]:
        args.types = names(ALL_TYPES)
    for name in args.models:
        if name != "demo" and name not in random_model.SHAPES:
            parser.error(f"--models: expected demo, {', '.join(random_model.SHAPES)}; found {name}")
    return args


def main():
    args = parse_arguments()
    engine = Engine(args.ocellus, args.threads)
    args.known = engine.weight_types()
    args.cache.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    found = []
    for name in args.models:
        folder = ROOT / "models/demo" if name == "demo" else random_model.make(name, args.cache, GOLDEN, args.layers, args.tower_layers, args.seed)
        found.append(Model(name, folder, engine, args).measure())
    report = {"date": time.strftime("%Y-%m-%d"), "machine": platform.processor() or platform.machine(), "models": found}
    if args.accuracy:
        report["accuracy"] = accuracy(args)
    report["seconds"] = round(time.monotonic() - started, 1)
    report["criteria"] = reports.criteria(report)
    print(json.dumps(report, indent=1) if args.json else reports.render(report, args.markdown))
    return 1 if any(each["ok"] is False for each in report["criteria"]) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (EngineError, OSError) as problem:
        print(f"eval_quantised: {problem}".splitlines()[0], file=sys.stderr)
        sys.exit(3)
