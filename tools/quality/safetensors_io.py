"""safetensors files with numpy alone: read whole, write tensor by tensor."""
import json
import pathlib
import struct

import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}
NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}


def read(path: pathlib.Path) -> dict:
    """{name: array}, mapped, not copied."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    body = np.memmap(path, np.uint8, "r", offset=8 + size)
    return {name: body[slice(*entry["data_offsets"])].view(TYPES[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()}


class Writer:
    """Tensors of known shapes and types, which may come in any order. The file has its name only when it is whole."""

    def __init__(self, path: pathlib.Path, shapes: dict):
        """`shapes`: {name: (numpy type, shape)}."""
        self.path, self.shapes, self.offsets, self.left = path, shapes, {}, set(shapes)
        header, place = {}, 0
        for name, (kind, shape) in shapes.items():
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            header[name] = {"dtype": NAMES[np.dtype(kind)], "shape": list(shape), "data_offsets": [place, place + size]}
            self.offsets[name], place = place, place + size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.start = 8 + len(text)
        self.file = open(path.with_name(path.name + ".part"), "wb")
        self.file.write(struct.pack("<Q", len(text)) + text)
        self.file.truncate(self.start + place)

    def add(self, name: str, array: np.ndarray) -> np.ndarray:
        """Gives back what the file holds now, in f32."""
        kind, shape = self.shapes[name]
        assert tuple(array.shape) == tuple(shape), (name, array.shape, shape)
        stored = np.ascontiguousarray(array, dtype=kind)
        self.file.seek(self.start + self.offsets[name])
        self.file.write(stored.data)
        self.left.remove(name)
        return stored.astype(np.float32)

    def close(self):
        assert not self.left, self.left
        self.file.close()
        self.path.with_name(self.path.name + ".part").rename(self.path)
