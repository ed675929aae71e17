"""A case on PyTorch's CPU kernels in bf16."""
import shutil

import torch
import torch._inductor.config

import torch_models
from cases import Case
from shapes import Decoder, Tower


def make(case: Case, decoder: Decoder, threads: int, options: dict):
    """({"seconds": run once}, settings as text, version)"""
    if case.weights != "bf16" or case.work == "decode":
        raise ValueError(f"expected tower or prefill in bf16 with PyTorch, found {case.key}")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if case.work == "tower":
        model, shape = torch_models.TowerModel(Tower()), (1, 3, Tower().side, Tower().side)
    else:
        model, shape = torch_models.DecoderModel(decoder, case.tokens), (1, case.tokens, decoder.width)
    model, how = model.eval(), "eager"
    if options.get("torch_compile") and shutil.which("g++"):
        torch._inductor.config.freezing = True  # the weights are constants and are packed once
        model, how = torch.compile(model), "torch.compile with freezing"
    given = torch.randn(shape).bfloat16()

    def run():
        with torch.no_grad():  # freezing does not know inference_mode
            model(given)

    return {"seconds": run}, f"bfloat16, {how}, scaled_dot_product_attention, {threads} threads", torch.__version__
