"""Plausible errors, each planted into reference.py, and how far each one moves the logits of a checkpoint.

`python mistakes.py FOLDER...` prints the table for fixtures. A fixture that a mistake does not move cannot find it.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import checkpoint
import fixture_file
import reference
from plt_config import Config
from reference import Array, LayerCache, Weights


def input_without_shift(config: Config, loop: int, t: int, embedding: Array, previous: Array | None) -> Array:
    if previous is None:
        return embedding
    return config.emb_scale * embedding + config.hidden_scale * previous[t]


def input_unscaled_first(config: Config, loop: int, t: int, embedding: Array, previous: Array | None) -> Array:
    if previous is None or t == 0:
        return embedding
    return config.emb_scale * embedding + config.hidden_scale * previous[t - 1]


def input_scaled_in_loop_0(config: Config, loop: int, t: int, embedding: Array, previous: Array | None) -> Array:
    if previous is None:
        return config.emb_scale * embedding
    return RIGHT_INPUT(config, loop, t, embedding, previous)


def own_cache(own: LayerCache, frozen: LayerCache | None) -> LayerCache:
    return own


def span_without_self(t: int) -> range:
    return range(max(t, 1))


def window_one_short(config: Config, t: int) -> range:
    return range(max(0, t - config.window + 1), t + 1) if config.window > 0 else range(t, t + 1)


def window_one_long(config: Config, t: int) -> range:
    return range(max(0, t - config.window - 1), t + 1)


def gate_after_layernorm(config: Config, weights: Weights, name: str, residual: Array) -> Array:
    normed = reference.rms_norm(residual, weights[name + "input_layernorm.weight"], config.eps)
    return RIGHT_GATES(config, weights, name, normed)


def gate_with_layernorm(config: Config, weights: Weights, name: str, residual: Array) -> Array:
    swapped = {name + "self_attn.plt_gate.gate_norm.weight": weights[name + "input_layernorm.weight"]}
    return RIGHT_GATES(config, weights | swapped, name, residual)


def gate_without_bias(config: Config, weights: Weights, name: str, residual: Array) -> Array:
    bias = name + "self_attn.plt_gate.bias"
    return RIGHT_GATES(config, weights | {bias: np.zeros_like(weights[bias])}, name, residual)


def mix_swapped(gate: float, global_output: Array, local_output: Array) -> Array:
    return gate * local_output + (1.0 - gate) * global_output


def position_of_state(loop: int, t: int) -> int:
    return t - loop


def rope_interleaved(vector: Array, position: int, theta: float) -> Array:
    order = np.concatenate([np.arange(0, len(vector), 2), np.arange(1, len(vector), 2)])
    rotated = np.empty_like(vector)
    rotated[order] = RIGHT_ROPE(vector[order], position, theta)
    return rotated


RIGHT_INPUT = reference.loop_input
RIGHT_GATES = reference.gates
RIGHT_ROPE = reference.rope

PLANTED: dict[str, tuple[str, Callable]] = {
    "no shift": ("loop_input", input_without_shift),
    "emb_scale missing at t=0": ("loop_input", input_unscaled_first),
    "emb_scale in loop 0": ("loop_input", input_scaled_in_loop_0),
    "global reads own loop": ("global_cache", own_cache),
    "global without self": ("global_span", span_without_self),
    "window one short": ("local_span", window_one_short),
    "window one long": ("local_span", window_one_long),
    "gate after layernorm": ("gates", gate_after_layernorm),
    "gate with layernorm's weight": ("gates", gate_with_layernorm),
    "gate without bias": ("gates", gate_without_bias),
    "gate swapped": ("mix", mix_swapped),
    "position t-r": ("rope_position", position_of_state),
    "rope interleaved": ("rope", rope_interleaved),
}
IN_CONFIG: dict[str, Callable[[Config], dict[str, Any]]] = {
    "normalize_per_loop flipped": lambda config: {"normalize_per_loop": not config.normalize_per_loop},
    "emb_scale 1": lambda config: {"emb_scale": 1.0},
    "hidden_scale 1": lambda config: {"hidden_scale": 1.0},
}
NAMES = [*PLANTED, *IN_CONFIG]


@contextmanager
def planted(name: str) -> Iterator[None]:
    seam, replacement = PLANTED[name]
    with mock.patch.object(reference, seam, replacement):
        yield


def logits_with(name: str, config: Config, weights: Weights, tokens: list[int]) -> Array:
    if name in IN_CONFIG:
        return reference.forward(dataclasses.replace(config, **IN_CONFIG[name](config)), weights, tokens).logits
    with planted(name):
        return reference.forward(config, weights, tokens).logits


def row_errors(got: Array, expected: Array) -> Array:
    """Per row, the norm of the difference over the norm of the expected row."""
    return np.linalg.norm(got - expected, axis=-1) / np.linalg.norm(expected, axis=-1)


def main() -> None:
    for folder in map(Path, sys.argv[1:]):
        config, weights = checkpoint.read(folder)
        tokens, positions, right, _ = fixture_file.read(folder)
        print(f"{folder.name}: relative error at the stored positions, largest and last")
        for name in NAMES:
            errors = row_errors(logits_with(name, config, weights, tokens)[positions], right)
            print(f"  {name:30} {errors.max():9.2e} {errors[-1]:9.2e}")


if __name__ == "__main__":
    main()
