"""Reading and writing safetensors files: an 8-byte little-endian header length, a JSON header, raw tensors.

Arrays are float64 in memory; the file holds "F32", "F16" or "BF16", rounded to nearest even.
"""

import json
from pathlib import Path

import numpy as np

N_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


def write(path: Path, tensors: dict[str, np.ndarray], dtype: str) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.size * N_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(encode(tensor, dtype) for tensor in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read(path: Path) -> dict[str, np.ndarray]:
    content = path.read_bytes()
    data_start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:data_start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        raw = content[data_start + start : data_start + end]
        tensors[name] = decode(raw, entry["dtype"]).reshape(entry["shape"])
    return tensors


def encode(tensor: np.ndarray, dtype: str) -> bytes:
    if dtype == "F32":
        return tensor.astype("<f4").tobytes()
    if dtype == "F16":
        return tensor.astype("<f2").tobytes()
    bits = tensor.astype("<f4").view("<u4")
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype("<u2").tobytes()


def decode(raw: bytes, dtype: str) -> np.ndarray:
    if dtype == "F32":
        return np.frombuffer(raw, "<f4").astype(np.float64)
    if dtype == "F16":
        return np.frombuffer(raw, "<f2").astype(np.float64)
    bits = np.frombuffer(raw, "<u2").astype("<u4") << 16
    return bits.view("<f4").astype(np.float64)
