"""Regenerates tests/fixtures/parity from fixed seeds: `python make_fixtures.py`.

A case is a checkpoint, a prompt and the reference's answer. The names say what is special in each.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkpoint
import fixture_file
import reference

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "parity"


@dataclass(frozen=True)
class Case:
    name: str
    fields: dict[str, Any]
    """Changes to checkpoint.RELEASED_FIELDS; `...` leaves the field out."""
    n_tokens: int
    positions: list[int]
    dtype: str = "F32"
    n_shards: int = 1


CASES = [
    Case(
        "r1-mha-tied",
        {"plt_num_loops": 1, "num_key_value_heads": 4, "tie_word_embeddings": True},
        n_tokens=12,
        positions=[0, 1, 5, 11],
        dtype="BF16",
    ),
    Case("r2-gqa-w5", {}, n_tokens=24, positions=[0, 1, 2, 4, 5, 6, 7, 15, 23]),
    Case(
        "r2-gqa-w64-long-bf16-sharded",
        {"plt_window_size": [64, 0], "plt_hidden_scale": 0.053, "rope_theta": 10000.0},
        n_tokens=90,
        positions=[0, 1, 5, 63, 64, 65, 66, 89],
        dtype="BF16",
        n_shards=3,
    ),
    Case(
        "r2-gqa-w64-short",
        {"plt_window_size": [64, 0], "num_key_value_heads": 1},
        n_tokens=17,
        positions=[0, 1, 8, 16],
        dtype="BF16",
    ),
    Case(
        "r2-mha-w1-tied",
        {"plt_window_size": [1, 0], "num_key_value_heads": 4, "tie_word_embeddings": True},
        n_tokens=16,
        positions=[0, 1, 2, 3, 15],
    ),
    Case(
        "r2-no-loop-norm",
        {"plt_normalize_per_loop": False, "plt_hidden_scale": 0.3},
        n_tokens=20,
        positions=[0, 1, 5, 6, 7, 19],
        dtype="BF16",
    ),
    Case(
        "r2-wide-heads-absent-fields",
        {
            "head_dim": 12,
            "num_key_value_heads": ...,
            "plt_emb_scale": None,
            "plt_hidden_scale": ...,
            "tie_word_embeddings": ...,
        },
        n_tokens=16,
        positions=[0, 1, 5, 6, 15],
        dtype="F16",
    ),
    Case("r3-gqa-w5-bf16", {"plt_num_loops": 3}, n_tokens=40, positions=[0, 1, 5, 6, 7, 39], dtype="BF16"),
    Case(
        "r3-w64-long-f32",
        {"plt_num_loops": 3, "plt_window_size": [64, 0], "num_key_value_heads": 4, "rope_theta": 10000.0},
        n_tokens=80,
        positions=[0, 1, 64, 65, 66, 79],
    ),
    Case(
        "r4-three-layers-sharded-f16",
        {"plt_num_loops": 4, "num_hidden_layers": 3},
        n_tokens=30,
        positions=[0, 1, 2, 5, 6, 7, 29],
        dtype="F16",
        n_shards=2,
    ),
]


def make(case: Case, seed: int) -> None:
    folder = FIXTURES / case.name
    checkpoint.write(folder, checkpoint.make_fields(**case.fields), seed, case.dtype, case.n_shards)
    config, weights = checkpoint.read(folder)
    tokens = checkpoint.random_tokens(config, case.n_tokens, seed + 1)
    fixture_file.write(folder, tokens, case.positions, reference.forward(config, weights, tokens))


def main() -> None:
    shutil.rmtree(FIXTURES, ignore_errors=True)
    for number, case in enumerate(CASES):
        make(case, seed=1000 + 10 * number)
        n_bytes = sum(path.stat().st_size for path in (FIXTURES / case.name).iterdir())
        print(f"{case.name:32} {n_bytes:8} bytes")


if __name__ == "__main__":
    main()
