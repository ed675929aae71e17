"""Which peers do which work, and which of the machine's limits holds for each."""
import dataclasses

from shapes import Decoder, Tower, weight_bytes


@dataclasses.dataclass(frozen=True)
class Case:
    engine: str   # openvino, torch
    work: str     # tower, prefill, decode
    weights: str  # bf16, int8, int8static, int4-g128, int4-g32
    tokens: int   # rows of a product: the tower's 577, a prompt's 512, a decode step's 1 or 8
    # How many activations share a scale when they are rounded to 8 bits before a product; 0: they stay as they are.
    activations: int = 0

    @property
    def family(self) -> str:
        return self.weights.partition("-g")[0].removesuffix("static")

    @property
    def group(self) -> tuple[str, int, str]:
        """Cases of a group are measured in turn, with one run of ours before them."""
        return self.work, self.tokens, self.family

    @property
    def name(self) -> str:
        """The weights as a reader meets them: int8, activations in groups of 128."""
        return self.weights + (f" a8-g{self.activations}" if self.activations else "")

    @property
    def key(self) -> str:
        return f"{self.engine}/{self.work}/{self.name}/{self.tokens}"

    @property
    def head_weights(self) -> str:
        """The last layer is kept in 8 bits where the others have fewer, as is customary."""
        return "int8" if self.family == "int4" else self.weights

    @property
    def limit(self) -> str:
        """The peak that bounds it: memory where every weight is used a few times only, arithmetic otherwise."""
        if self.work == "decode":
            return "read"
        return "int8" if self.activations or self.weights == "int8static" else "bf16"


def all_cases(prompt: int = 512) -> list[Case]:
    tower = Tower().tokens
    cases = [
        Case("openvino", "tower", "bf16", tower),
        Case("torch", "tower", "bf16", tower),
        Case("openvino", "tower", "int8", tower),
        Case("openvino", "tower", "int8", tower, 128),
        Case("openvino", "tower", "int8", tower, 32),
        Case("openvino", "tower", "int8static", tower),
        Case("openvino", "prefill", "bf16", prompt),
        Case("torch", "prefill", "bf16", prompt),
        Case("openvino", "prefill", "int8", prompt),
        Case("openvino", "prefill", "int8", prompt, 128),
        Case("openvino", "prefill", "int8", prompt, 32),
        Case("openvino", "prefill", "int8static", prompt),
        Case("openvino", "prefill", "int4-g128", prompt, 128),
        Case("openvino", "prefill", "int4-g32", prompt, 32),
    ]
    for tokens in (1, 8):
        cases += [
            Case("openvino", "decode", "bf16", tokens),
            Case("openvino", "decode", "int8", tokens),
            Case("openvino", "decode", "int8", tokens, 128),
            Case("openvino", "decode", "int4-g128", tokens, 128),
            Case("openvino", "decode", "int4-g32", tokens, 32),
        ]
    return cases


@dataclasses.dataclass(frozen=True)
class Figure:
    value: float  # of the whole model
    unit: str
    used: float   # of what the limit is about
    used_unit: str


def figure(case: Case, entry: dict, decoder: Decoder) -> Figure:
    """What one run means whose `seconds` went by in the measured layers, and `head_seconds` in the last layer."""
    seconds = entry["seconds"]
    if case.work == "tower":
        return Figure(1e3 * seconds, "ms", Tower().flops() / seconds / 1e9, "GFLOP/s")
    whole = seconds * decoder.scale() + entry.get("head_seconds", 0.0)
    if case.work == "prefill":
        used = decoder.layers * decoder.layer_flops(case.tokens) / seconds / 1e9
        return Figure(case.tokens / whole, "tokens/s", used, "GFLOP/s")
    layers = decoder.all_layers * decoder.layer_weights * weight_bytes(case.weights)
    head = decoder.head_weights * weight_bytes(case.head_weights) if "head_seconds" in entry else 0
    return Figure(case.tokens / whole, "tokens/s", (layers + head) / whole / 1e9, "GB/s")
