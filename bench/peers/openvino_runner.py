"""A case on OpenVINO's CPU plugin, with the settings that give it its best."""
import numpy as np
import openvino as ov

import openvino_graph
import openvino_models
from cases import Case
from shapes import Decoder, Tower


def make(case: Case, decoder: Decoder, threads: int, _options: dict):
    """({"seconds": run once, "head_seconds": the last layer once}, settings as text, version)"""
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads),
        "INFERENCE_PRECISION_HINT": "bf16",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(case.activations),
    }
    weights = openvino_graph.Weights(case.weights)
    if case.work == "tower":
        runs = {"seconds": Compiled(openvino_models.tower(Tower(), weights), weights, settings)}
    else:
        runs = {"seconds": Compiled(openvino_models.decoder(decoder, case.tokens, weights), weights, settings)}
    if case.work == "decode":
        weights = openvino_graph.Weights(case.head_weights)
        runs["head_seconds"] = Compiled(openvino_models.head(decoder, case.tokens, weights), weights, settings)
    return runs, " ".join(f"{k}={v}" for k, v in settings.items()) + "; static shapes", ov.__version__


class Compiled:
    """A model ready to run on a random input; called, it runs once."""

    def __init__(self, model: ov.Model, weights: openvino_graph.Weights, settings: dict):
        self.weights = weights  # the plugin may use the constants where they lie
        self.request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
        shape = list(model.inputs[0].shape)
        self.request.set_input_tensor(ov.Tensor(np.random.default_rng(1).standard_normal(shape).astype(np.float32)))

    def __call__(self) -> None:
        self.request.infer()
