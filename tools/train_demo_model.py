#!/usr/bin/env python3
"""Trains the demo model from nothing, on generated pictures, and writes it as a Hugging Face checkpoint.

  python3 -m venv .venv && .venv/bin/pip install -r tools/requirements.txt
  .venv/bin/python tools/train_demo_model.py --out models/demo

The schedule counts steps, not seconds: the same seed, thread count and library versions give the same model. Three phases:
1. dense labels: from every tower token the colour, kind, size and cell of what it shows (four linear classifiers, thrown away later);
2. questions about scenes of one thing, then gradually up to five; the dense labels stay as an auxiliary loss;
3. questions about full scenes while the learning rate falls to nothing.
A picture carries many questions in one sequence (a conversation), and a description of the whole at a random place. Matrices inside
the blocks and the projector learn with Muon, the rest with AdamW.
"""
import argparse
import io
import json
import pathlib
import random
import sys
import time

import torch
import torch.nn.functional as F
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from demo import network, text  # noqa: E402
from demo.questions import describe, make_question, spell_freely  # noqa: E402
from demo.scenes import LABEL_CLASSES, draw, make_scene, patch_labels  # noqa: E402

GRID = network.IMAGE_SIZE // network.PATCH
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
DENSE_STEPS, CURRICULUM_STEPS, WARM_UP = 300, 400, 300
QUESTIONS = 8


def seen_by_the_model(image: Image.Image) -> torch.Tensor:
    """What CLIPImageProcessor makes of it with this model's settings: uint8 [3, 96, 96]."""
    image = image.resize((network.IMAGE_SIZE, network.IMAGE_SIZE), Image.Resampling.BICUBIC)
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(network.IMAGE_SIZE, network.IMAGE_SIZE, 3).permute(2, 0, 1)


def make_picture(rng: random.Random, scene) -> torch.Tensor:
    if rng.random() < 0.5:
        width = height = rng.choice([96, 144, 192, 240])
    else:
        width, height = rng.randint(64, 360), rng.randint(64, 360)
        height = max(width * 2 // 3, min(height, width * 3 // 2))
    image = draw(scene, width, height, rng)
    if rng.random() < 0.15:  # the traces that cameras and web pages leave
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(60, 95))
        image = Image.open(buffer).convert("RGB")
    return seen_by_the_model(image)


def make_batch(rng, conversation, pictures, most_things, dense_only):
    """Pixels [n, 3, 96, 96], dense labels [n, patches, 4], token ids and targets [n, longest] (-100: no loss)."""
    pixels, labels, rows = [], [], []
    for _ in range(pictures):
        scene = make_scene(rng, most_things)
        pixels.append(make_picture(rng, scene))
        labels.append(patch_labels(scene, GRID))
        if dense_only:
            continue
        turns = [make_question(rng, scene)[1:] for _ in range(QUESTIONS)]
        turns.insert(rng.randrange(QUESTIONS + 1),
                     (spell_freely(rng, rng.choice(["Describe the picture.", "What is in the picture?"])), describe(scene)))
        rows.append(conversation.ids(turns, GRID * GRID))
    x = torch.stack(pixels).float() / 255
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    if dense_only:
        return x, torch.tensor(labels), None, None
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(pictures, longest, dtype=torch.long)
    targets = torch.full((pictures, longest), -100)
    for i, (row, mask) in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
        targets[i, :len(row)] = torch.where(torch.tensor(mask), torch.tensor(row), -100)
    return x, torch.tensor(labels), ids, targets


class Learner:
    def __init__(self, vocabulary, args):
        torch.manual_seed(args.seed)
        self.model = network.Llava(vocabulary)
        self.probes = torch.nn.ModuleList(torch.nn.Linear(network.WIDTH, n) for n in LABEL_CLASSES)
        inner = [p for n, p in self.model.named_parameters() if p.ndim == 2 and ("layers." in n or "projector" in n)]
        chosen = {id(p) for p in inner}
        rest = [p for p in [*self.model.parameters(), *self.probes.parameters()] if id(p) not in chosen]
        self.optimizers = [torch.optim.Muon(inner, lr=2e-3, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
                           torch.optim.AdamW(rest, lr=1e-3, weight_decay=0.02, betas=(0.9, 0.98))]
        self.rates = [2e-3, 1e-3]

    def step(self, batch, scale, image_positions):
        x, labels, ids, targets = batch
        with torch.autocast("cpu", torch.bfloat16):
            features = self.model.features(x)
            dense = sum(F.cross_entropy(p(features).float().flatten(0, 1), labels[..., i].flatten())
                        for i, p in enumerate(self.probes))
            if ids is None:
                loss = dense
            else:
                hidden = self.model.hidden(features, ids[:, :-1], image_positions)
                wanted = targets[:, 1:]
                places = wanted != -100
                loss = F.cross_entropy(self.model.logits(hidden[places]).float(), wanted[places]) + 0.2 * dense
        for optimizer, rate in zip(self.optimizers, self.rates):
            optimizer.zero_grad(set_to_none=True)
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.probes.parameters()], 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.item(), dense.item()


@torch.no_grad()
def evaluate(model, conversation, rng, count):
    """Exact answers by kind, each question alone, greedily (teacher-free), share of `count`."""
    kinds = {}
    positions = range(0)
    for _ in range(count):
        scene = make_scene(rng)
        kind, question, answer = make_question(rng, scene, "describe" if rng.random() < 0.08 else None)
        x = (make_picture(rng, scene).float()[None] / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        ids, mask = conversation.ids([(question, answer)], GRID * GRID)
        start = ids.index(conversation.image)
        positions = range(start, start + GRID * GRID)
        hidden = model.hidden(model.features(x), torch.tensor([ids[:-1]]), positions)
        guesses = model.logits(hidden)[0].argmax(-1).tolist()
        # Greedy text equals the answer exactly when every answer token is the likeliest after the right ones before it.
        right = all(guesses[i - 1] == ids[i] for i in range(1, len(ids)) if mask[i])
        good, total = kinds.get(kind, (0, 0))
        kinds[kind] = (good + right, total + 1)
    return kinds


def export(model, tokenizer, folder: pathlib.Path):
    """The checkpoint as transformers writes it."""
    from safetensors.torch import save_file
    folder.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().clone().contiguous() for k, v in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    text.write_tokenizer(tokenizer, folder)
    ids = {t: tokenizer.token_to_id(t) for t in (text.BOS, text.EOS, text.PAD, text.IMAGE)}
    vocabulary = model.language_model["model"].embed_tokens.weight.shape[0]
    config = {
        "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "torch_dtype": "float32",
        "image_token_index": ids[text.IMAGE], "pad_token_id": ids[text.PAD], "projector_hidden_act": "gelu",
        "vision_feature_layer": -2, "vision_feature_select_strategy": "default", "image_seq_length": GRID * GRID,
        "tie_word_embeddings": True,
        "vision_config": {
            "model_type": "clip_vision_model", "image_size": network.IMAGE_SIZE, "patch_size": network.PATCH,
            "hidden_size": network.WIDTH, "intermediate_size": network.TOWER_FF, "num_hidden_layers": network.TOWER_LAYERS,
            "num_attention_heads": network.TOWER_HEADS, "layer_norm_eps": network.EPS, "hidden_act": "quick_gelu",
            "projection_dim": network.WIDTH,
        },
        "text_config": {
            "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": network.WIDTH,
            "intermediate_size": network.FF, "num_hidden_layers": network.LAYERS, "num_attention_heads": network.HEADS,
            "num_key_value_heads": network.KV_HEADS, "rms_norm_eps": network.EPS, "rope_theta": network.ROPE_THETA,
            "max_position_embeddings": 1024, "vocab_size": vocabulary, "tie_word_embeddings": True,
            "bos_token_id": ids[text.BOS], "eos_token_id": ids[text.EOS], "pad_token_id": ids[text.PAD],
        },
    }
    processor = {
        "image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor", "do_convert_rgb": True,
        "do_resize": True, "size": {"height": network.IMAGE_SIZE, "width": network.IMAGE_SIZE}, "resample": 3,
        "do_center_crop": False, "crop_size": {"height": network.IMAGE_SIZE, "width": network.IMAGE_SIZE},
        "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": MEAN, "image_std": STD,
    }
    files = {
        "config.json": config, "preprocessor_config.json": processor,
        "processor_config.json": {"processor_class": "LlavaProcessor", "patch_size": network.PATCH, "image_token": text.IMAGE,
                                  "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1},
        "generation_config.json": {"bos_token_id": ids[text.BOS], "eos_token_id": ids[text.EOS],
                                   "pad_token_id": ids[text.PAD], "do_sample": False, "max_new_tokens": 128},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--steps", type=int, default=2800, help="optimizer steps in all (default: %(default)s)")
    parser.add_argument("--pictures", type=int, default=64, help="pictures in a step (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--state", type=pathlib.Path, help="file to save progress in, and to go on from when it exists")
    parser.add_argument("--evaluate-every", type=int, default=200)
    args = parser.parse_args()
    if args.steps <= DENSE_STEPS + CURRICULUM_STEPS:  # the rate falls over what is left after these two phases
        parser.error(f"--steps: expected more than {DENSE_STEPS + CURRICULUM_STEPS}, found {args.steps}")
    torch.set_num_threads(args.threads)

    tokenizer = text.train_tokenizer(768, args.seed)
    conversation = text.Conversation(tokenizer)
    vocabulary = -(-tokenizer.get_vocab_size() // 64) * 64
    learner = Learner(vocabulary, args)
    print(f"{sum(p.numel() for p in learner.model.parameters()):,} parameters, vocabulary {vocabulary}", flush=True)
    first = conversation.ids([("x", "y")], 1)[0].index(conversation.image)
    image_positions = range(first, first + GRID * GRID)

    start = 0
    if args.state and args.state.exists():
        saved = torch.load(args.state, weights_only=False)
        start = saved["step"]
        learner.model.load_state_dict(saved["model"])
        learner.probes.load_state_dict(saved["probes"])
        for optimizer, state in zip(learner.optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)
    began = time.monotonic()
    smooth = None
    for step in range(start, args.steps):
        rng = random.Random(f"train {args.seed} {step}")  # a step's pictures depend on its number only: resuming repeats nothing
        dense_only = step < DENSE_STEPS
        progress = (step - DENSE_STEPS) / CURRICULUM_STEPS
        most_things = 5 if dense_only or progress >= 1 else 1 + int(5 * progress)
        falling = (args.steps - step) / (args.steps - DENSE_STEPS - CURRICULUM_STEPS)
        scale = min(1, (step + 1) / WARM_UP, falling)
        loss, dense = learner.step(make_batch(rng, conversation, args.pictures, min(5, most_things), dense_only), scale, image_positions)
        smooth = loss if smooth is None or step == DENSE_STEPS else 0.95 * smooth + 0.05 * loss
        if (step + 1) % 20 == 0:
            seconds = (time.monotonic() - began) / (step + 1 - start)
            print(f"step {step + 1}/{args.steps}  loss {smooth:.4f}  dense {dense:.3f}  {seconds:.2f} s/step  "
                  f"{seconds * (args.steps - step - 1) / 60:.0f} min left", flush=True)
        if (step + 1) % args.evaluate_every == 0 or step + 1 == args.steps:
            kinds = evaluate(learner.model, conversation, random.Random(f"held out {args.seed}"), 400)
            good, total = (sum(v[i] for v in kinds.values()) for i in (0, 1))
            print(f"step {step + 1}: exact {100 * good / total:.1f} %  " +
                  "  ".join(f"{k} {100 * g / t:.0f}" for k, (g, t) in sorted(kinds.items())), flush=True)
            export(learner.model, tokenizer, args.out)
            if args.state:
                torch.save({"step": step + 1, "model": learner.model.state_dict(), "probes": learner.probes.state_dict(),
                            "optimizers": [o.state_dict() for o in learner.optimizers]}, args.state)


if __name__ == "__main__":
    main()
