"""Compares `dacapo model logits` with the reference on fresh random checkpoints.

`python check_cli.py --dacapo PATH [--seed N] [--modes sequential,fused,tail,chunked:7] [--dtypes f32,f64]` prints a table
and exits with 1 if a row of logits is off. Mode `tail` is asked for the last position only.
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import checkpoint
import reference
from mistakes import row_errors

TOLERANCES = {"f32": 1e-4, "f64": 1e-10}
TIMEOUT_S = 120
MODELS: list[tuple[str, dict[str, Any], int, str, int]] = [
    # Name, changed fields, prompt length, dtype, shards.
    ("R=1 MHA tied", {"plt_num_loops": 1, "num_key_value_heads": 4, "tie_word_embeddings": True}, 20, "F32", 1),
    ("R=2 GQA W=5", {}, 33, "F32", 2),
    ("R=2 MHA W=1 bf16", {"plt_window_size": [1, 0], "num_key_value_heads": 4}, 14, "BF16", 1),
    ("R=2 GQA W=64 bf16", {"plt_window_size": [64, 0], "hidden_size": 48, "intermediate_size": 64}, 90, "BF16", 3),
    ("R=3 GQA W=5 L=3", {"plt_num_loops": 3, "num_hidden_layers": 3}, 60, "F32", 1),
    # Long enough that later loops skip the beginning.
    ("R=3 GQA W=5 long", {"plt_num_loops": 3}, 220, "F32", 1),
    ("R=3 wide heads f16", {"plt_num_loops": 3, "head_dim": 16, "plt_normalize_per_loop": False}, 20, "F16", 1),
]


def ask(dacapo: str, folder: Path, tokens: list[int], mode: str, dtype: str) -> np.ndarray:
    """The binary's logits, one row per position; raises RuntimeError with its last words if it gives none."""
    command = [dacapo, "model", "logits", str(folder), "--tokens", ",".join(map(str, tokens))]
    command += ["--mode", mode, "--dtype", dtype, "--json"]
    if mode != "tail":
        command.append("--all")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(str(error)) from error
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()[-200:]}")
    try:
        return np.array(json.loads(done.stdout)["logits"], dtype=np.float64)
    except (ValueError, KeyError, TypeError) as error:
        raise RuntimeError(f"unreadable answer: {error!r}") from error


def compare(got: np.ndarray, expected: np.ndarray, tolerance: float) -> tuple[bool, str]:
    if got.shape != expected.shape:
        return False, f"shape {got.shape}, expected {expected.shape}"
    errors, largest = row_errors(got, expected), np.abs(got - expected).max()
    # The largest element is held to the size of the largest logit, so that one bad entry cannot hide in a long row.
    is_right = bool(errors.max() <= tolerance) and bool(largest <= tolerance * np.abs(expected).max())
    return is_right, f"relative {errors.max():.1e} (row {int(errors.argmax())}), max-abs {largest:.1e}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dacapo", required=True, help="path of the binary")
    parser.add_argument("--seed", type=int, default=None, help="drawn afresh if absent, and printed")
    parser.add_argument("--modes", default="sequential,fused,tail,chunked:1,chunked:7", help="comma-separated")
    parser.add_argument("--dtypes", default="f32,f64", help="comma-separated")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else secrets.randbelow(2**31)
    print(f"seed {seed}")

    n_failed = 0
    with tempfile.TemporaryDirectory(prefix="dacapo-parity-") as scratch:
        for number, (name, changes, n_tokens, stored, n_shards) in enumerate(MODELS):
            folder = Path(scratch) / str(number)
            model_seed = (seed + number) % 2**32
            checkpoint.write(folder, checkpoint.make_fields(**changes), model_seed, stored, n_shards)
            config, weights = checkpoint.read(folder)
            tokens = checkpoint.random_tokens(config, n_tokens, model_seed)
            expected = reference.forward(config, weights, tokens).logits
            for mode in arguments.modes.split(","):
                for dtype in arguments.dtypes.split(","):
                    try:
                        got = ask(arguments.dacapo, folder, tokens, mode, dtype)
                        is_right, text = compare(got, expected[-1:] if mode == "tail" else expected, TOLERANCES[dtype])
                    except RuntimeError as error:
                        is_right, text = False, str(error)
                    n_failed += not is_right
                    print(f"{name:20} {mode:12} {dtype:4} {'ok  ' if is_right else 'FAIL'} {text}", flush=True)
    print(f"{n_failed} failed")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
