"""A case on OpenVINO's CPU plugin, with the settings that give it its best."""
import numpy as np
import openvino as ov

import openvino_graph
import openvino_models
from cases import Case
from shapes import Decoder, Tower


def make(case: Case, decoder: Decoder, threads: int, _options: dict):
    """(run once, settings as text, version)"""
    weights = openvino_graph.Weights(case.weights)
    if case.work == "tower":
        model = openvino_models.tower(Tower(), weights)
    else:
        model = openvino_models.decoder(decoder, case.tokens, weights)
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads),
        "INFERENCE_PRECISION_HINT": "bf16",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(case.activations),
    }
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    shape = list(model.inputs[0].shape)
    request.set_input_tensor(ov.Tensor(np.random.default_rng(1).standard_normal(shape).astype(np.float32)))
    return request.infer, " ".join(f"{k}={v}" for k, v in settings.items()) + "; static shapes", ov.__version__
