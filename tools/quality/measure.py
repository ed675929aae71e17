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


def divergences(reference, other):
    """KL(reference || other) of each row, in nats."""
    a, b = log_softmax(reference), log_softmax(other)
    return (np.exp(a) * (a - b)).sum(axis=1)


def growth(found, exact):
    """What arithmetic adds: (mean of `found` / mean of `exact` - 1, its standard error), both KL of the same rows; None where exact is 0."""
    if exact.mean() <= 0:
        return None
    ratio = found.mean() / exact.mean()
    return float(ratio - 1), float(np.std(found - ratio * exact) / np.sqrt(len(exact)) / exact.mean())


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
