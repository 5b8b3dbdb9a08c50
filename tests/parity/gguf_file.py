"""Rewrites a GGUF file with all weights in F32, so that two programs can be compared without their rounding."""

import struct
from math import prod

import numpy as np

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
ALIGNMENT = 32


def q4_1(raw):
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, 20)
    scale, minimum = blocks[:, :4].copy().view(np.float16).astype(np.float32).T
    quants = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], 1).astype(np.float32)
    return quants * scale[:, None] + minimum[:, None]


def q8_0(raw):
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, 34)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    return blocks[:, 2:].view(np.int8).astype(np.float32) * scale


# Number of the type: values and bytes of a block, and its values.
KINDS = {
    0: (1, 4, lambda raw: np.frombuffer(raw, np.float32)),
    1: (1, 2, lambda raw: np.frombuffer(raw, np.float16).astype(np.float32)),
    3: (32, 20, q4_1),
    8: (32, 34, q8_0),
}


class Reader:
    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, n_bytes):
        self.place += n_bytes
        return self.data[self.place - n_bytes:self.place]

    def number(self, letter):
        return struct.unpack("<" + letter, self.take(struct.calcsize(letter)))[0]

    def string(self):
        return self.take(self.number("Q"))

    def skip_value(self, kind):
        if kind == 8:
            self.string()
        elif kind == 9:
            element, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip_value(element)
        else:
            self.take(SIZES[kind])


def write_in_f32(source, target):
    """Copies the file `source` to `target`, its tensors of the types above as F32."""
    data = source.read_bytes()
    reader = Reader(data)
    assert reader.take(4) == b"GGUF" and reader.number("I") == 3
    n_tensors, n_entries = reader.number("Q"), reader.number("Q")
    for _ in range(n_entries):
        reader.string()
        reader.skip_value(reader.number("I"))
    head = data[:reader.place]
    tensors = []
    for _ in range(n_tensors):
        name = reader.string()
        shape = [reader.number("Q") for _ in range(reader.number("I"))]
        tensors.append((name, shape, reader.number("I"), reader.number("Q")))
    start = -(-reader.place // ALIGNMENT) * ALIGNMENT
    with target.open("wb") as file:
        file.write(head)
        offset = 0
        for name, shape, _, _ in tensors:
            file.write(struct.pack("<Q", len(name)) + name + struct.pack("<I", len(shape)))
            file.write(struct.pack(f"<{len(shape)}QIQ", *shape, 0, offset))
            offset += -(-prod(shape) * 4 // ALIGNMENT) * ALIGNMENT
        file.write(bytes(-file.tell() % ALIGNMENT))
        for _, shape, kind, place in tensors:
            block_len, block_bytes, decode = KINDS[kind]
            n_bytes = prod(shape) // block_len * block_bytes
            file.write(decode(data[start + place:start + place + n_bytes]).tobytes())
            file.write(bytes(-file.tell() % ALIGNMENT))
