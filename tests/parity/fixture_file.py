"""The two JSON files of a fixture beside its checkpoint: tokens.json and expected.json.

tokens.json: [id, ...]
expected.json: {"positions": [t, ...], "logits": [[one row per stored position]], "h": [[one row per loop]]}
The rows of h belong to the last token; row r is what loop r hands on, the last row what the head reads.
Numbers are the shortest decimals that read back as the same float64, at most 17 digits.
"""

import json
from pathlib import Path

import numpy as np

from reference import Result


def write(folder: Path, tokens: list[int], positions: list[int], result: Result) -> None:
    expected = {
        "positions": positions,
        "logits": result.logits[positions].tolist(),
        "h": [states[-1].tolist() for states in result.h],
    }
    (folder / "tokens.json").write_text(json.dumps(tokens) + "\n")
    (folder / "expected.json").write_text(json.dumps(expected) + "\n")


def read(folder: Path) -> tuple[list[int], list[int], np.ndarray, np.ndarray]:
    """Tokens, stored positions, their logits, and the last position's h per loop."""
    expected = json.loads((folder / "expected.json").read_text())
    tokens = json.loads((folder / "tokens.json").read_text())
    return tokens, expected["positions"], np.array(expected["logits"]), np.array(expected["h"])
