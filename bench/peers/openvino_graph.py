"""OpenVINO operations that both models are made of, with random weights in the form that the CPU plugin fuses.

A compressed matrix is Constant -> Convert -> Multiply -> MatMul: the plugin keeps it as integers and multiplies with those.
"""
import numpy as np
import openvino as ov
import openvino.opset13 as op


class Weights:
    """Random matrices. Each has bytes of its own: the plugin would pack equal constants once, and read them from the cache."""

    def __init__(self, kind: str, seed: int = 0):
        self.kind, _, group = kind.partition("-g")
        self.group = int(group) if group else 0
        self.random = np.random.default_rng(seed)
        self.pool = self.random.integers(0, 256, 1 << 22, np.uint8)
        self.kept = []  # a graph refers to these arrays without owning them

    def constant(self, values: np.ndarray, shape, kind: ov.Type):
        self.kept.append(values)
        return op.constant(ov.Tensor(values, list(shape), kind), shared_memory=True)

    def bytes(self, count: int) -> np.ndarray:
        """Random bytes: the pool from a random place on, again and again. Making them all would take longer than the run."""
        return np.resize(np.roll(self.pool, -int(self.random.integers(self.pool.size))), count)

    def bf16(self, shape, spread: float):
        """Values between spread/2 and 2·spread in magnitude: neither too small for a normal number nor growing with depth."""
        count = int(np.prod(shape))
        exponent = 127 + int(np.floor(np.log2(spread)))
        bits = self.bytes(2 * count).view(np.uint16) & 0x80FF
        return self.constant((bits | (exponent - 1 << 7)).astype(np.uint16), shape, ov.Type.bf16)

    def matrix(self, rows: int, columns: int):
        """[rows, columns] as f32 to the graph."""
        spread = columns**-0.5
        if self.kind in ("bf16", "int8static"):
            return op.convert(self.bf16((rows, columns), spread), "f32")
        if self.kind == "int8":
            values = self.constant(self.bytes(rows * columns).view(np.int8), [rows, columns], ov.Type.i8)
            return self.scaled(values, [rows, 1], spread / 64, None)
        if self.kind == "int4":
            blocks = columns // self.group
            values = self.constant(self.bytes(rows * columns // 2), [rows, blocks, self.group], ov.Type.i4)
            return self.scaled(values, [rows, blocks, 1], spread / 4, [rows, columns])
        raise ValueError(f"weights: expected bf16, int8, int8static or int4-gN, found {self.kind}")

    def scaled(self, values, scale_shape, scale: float, shape):
        scales = (scale * self.random.uniform(0.5, 1.5, scale_shape)).astype(np.float16)
        product = op.multiply(op.convert(values, "f16"), op.constant(scales))
        if shape is not None:
            product = op.reshape(product, op.constant(np.array(shape, np.int64)), False)
        return op.convert(product, "f32")

    def vector(self, count: int, around: float = 0.0):
        return op.constant((around + 0.01 * self.random.standard_normal(count)).astype(np.float32))

    def linear(self, x, rows: int, columns: int, bias: bool = False):
        weight = self.matrix(rows, columns)
        if self.kind == "int8static":
            # The ranges are those of the random values; the plugin turns the pair into a product of 8-bit integers.
            x = fake_quantize(x, np.array(4.0))
            weight = fake_quantize(weight, np.full((rows, 1), 2.0 * columns**-0.5))
        y = op.matmul(x, weight, False, True)
        return op.add(y, self.vector(rows)) if bias else y


def fake_quantize(x, limit: np.ndarray):
    low, high = op.constant((-limit).astype(np.float32)), op.constant((limit * 127 / 128).astype(np.float32))
    return op.fake_quantize(x, low, high, low, high, 256)


def reshape(x, *shape: int):
    return op.reshape(x, op.constant(np.array(shape, np.int64)), False)


def transpose(x, *order: int):
    return op.transpose(x, op.constant(np.array(order, np.int64)))


def split_heads(x, tokens: int, heads: int):
    """[1, tokens, heads * dim] -> [1, heads, tokens, dim]"""
    return transpose(reshape(x, 1, tokens, heads, -1), 0, 2, 1, 3)


def join_heads(x, tokens: int, width: int):
    return reshape(transpose(x, 0, 2, 1, 3), 1, tokens, width)


def layer_norm(x, weights: Weights, width: int):
    axis = op.constant(np.array([-1], np.int64))
    return op.add(op.multiply(op.mvn(x, axis, True, 1e-5, "inside_sqrt"), weights.vector(width, 1.0)),
                  weights.vector(width))


def rms_norm(x, weights: Weights, width: int, epsilon: float):
    axis = op.constant(np.array([-1], np.int64))
    mean = op.reduce_mean(op.power(x, np.float32(2)), axis, True)
    root = op.sqrt(op.add(mean, np.float32(epsilon)))
    return op.multiply(op.multiply(x, op.divide(np.float32(1), root)), weights.vector(width, 1.0))


def rotate(x, cosine, sine, half: int):
    """Rotary embedding, the halves of a head being the pairs: x [1, heads, tokens, 2 * half]."""
    axis, step = op.constant(np.array([3], np.int64)), op.constant(np.array([1], np.int64))
    at = [op.constant(np.array([i], np.int64)) for i in (0, half, np.iinfo(np.int64).max)]
    first, second = op.slice(x, at[0], at[1], step, axis), op.slice(x, at[1], at[2], step, axis)
    turned = op.concat([op.multiply(second, np.float32(-1)), first], -1)
    return op.add(op.multiply(x, cosine), op.multiply(turned, sine))
