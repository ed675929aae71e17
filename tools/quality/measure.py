"""Distances between distributions over the vocabulary."""
import numpy as np


def log_softmax(logits):
    x = np.asarray(logits, dtype=np.float64)
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def entropy(logits):
    """Mean over the rows, in nats."""
    logs = log_softmax(logits)
    return float(-(np.exp(logs) * logs).sum(axis=1).mean())


def divergence(reference, other):
    """Mean over the rows of KL(reference || other), in nats."""
    a, b = log_softmax(reference), log_softmax(other)
    return float((np.exp(a) * (a - b)).sum(axis=1).mean())


def agreement(reference, other):
    """The share of rows with the same likeliest token."""
    return float((reference.argmax(axis=1) == other.argmax(axis=1)).mean())


def temperature_for(logits, wanted):
    """The factor on the logits that gives this mean entropy."""
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if entropy(logits * middle) > wanted else (low, middle)
    return np.float32(middle)
