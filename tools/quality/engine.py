"""Runs of `ocellus trace`, and the values that a quantised type gives a model's matrices."""
import pathlib
import re
import subprocess
import tempfile

import gguf
import numpy as np
from gguf import quants

from . import activations, safetensors_io

GGUF_PART = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
             "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


class EngineError(Exception):
    """The program failed; the text is what it said."""


class Engine:
    def __init__(self, binary: str, threads: int = 0):
        self.binary = binary
        self.threads = ["--threads", str(threads)] if threads else []

    def run(self, *arguments):
        done = subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise EngineError(f"{self.binary} {arguments[0]}: exit status {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def weight_types(self):
        """Names that --weights takes."""
        listed = re.search(r"--weights.*?\{([^}]*)\}", self.run("trace", "--help"), re.DOTALL)
        return re.findall(r"\w+", listed[1]) if listed else []

    def can_quantize(self):
        return re.search(r"^ +quantize ", self.run("--help"), re.MULTILINE) is not None

    def trace(self, model, picture, question, weights="f32", tower="f32", expand=False, forced=(), max_tokens=64):
        """{stage: array} with the logits of all positions; forced: token ids to generate."""
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "trace.safetensors"
            more = ["--force-tokens", ",".join(map(str, forced))] if len(forced) else ["--max-tokens", max_tokens]
            self.run("trace", picture, question, "--model", model, "--out", out, "--weights", weights, "--tower-weights", tower,
                     "--temperature", "0", "--all-logits", *more, *(["--expand-weights"] if expand else []), *self.threads)
            return {name: np.array(array) for name, array in safetensors_io.read(out).items()}


def unpaired(weight, heads):
    """GGUF has the two rows of queries and keys that rotate together side by side."""
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


class RoundedWeights:
    """The layers' matrices as the values that a type gives them, f32. Rows that are no whole blocks stay as they are."""

    def __init__(self, decoder, kind: str, quantised: pathlib.Path | None):
        """`quantised`: a GGUF file of the model in this type, where `ocellus quantize` made one."""
        self.decoder, self.kind = decoder, kind
        self.file = {t.name: t for t in gguf.GGUFReader(quantised).tensors} if quantised else None

    def __call__(self, layer: int, part: str):
        weight = self.decoder.tensor(f"layers.{layer}.{part}.weight")
        if weight.shape[1] % activations.BLOCK[self.kind] != 0:
            return None, weight
        if self.kind in ("f16", "bf16"):
            return self.kind, getattr(activations, self.kind)(weight)
        if self.file is None:
            kind = gguf.GGMLQuantizationType[self.kind.upper()]
            return self.kind, quants.dequantize(quants.quantize(weight, kind), kind)
        tensor = self.file[f"blk.{layer}.{GGUF_PART[part]}.weight"]
        values = quants.dequantize(tensor.data, tensor.tensor_type).reshape(weight.shape)
        heads = {"self_attn.q_proj": self.decoder.config.heads, "self_attn.k_proj": self.decoder.config.kv_heads}.get(part)
        return tensor.tensor_type.name.lower(), unpaired(values, heads) if heads else values


def llama_cpp_logits(decoder, rounded: RoundedWeights, texts):
    """For every text (ids, image): the logits of all positions with the rounded weights in f32, and with activations rounded too, as llama.cpp
    does. None where the type fits no matrix."""
    fitting = False

    def linear(layer, part, x):
        nonlocal fitting
        kind, weight = rounded(layer, part)
        if kind is None:
            return x @ weight.T
        fitting = True
        exact, other = np.split(x, 2)
        return np.concatenate([exact, activations.BY_WEIGHT_TYPE[kind](other)]) @ weight.T

    pairs = [np.split(decoder.logits(ids, image, linear, copies=2), 2) for ids, image in texts]
    return pairs if fitting else None


def plain_logits(decoder, ids, image):
    return decoder.logits(ids, image, lambda layer, part, x: x @ decoder.tensor(f"layers.{layer}.{part}.weight").T)
