"""The same model the way an engine runs it: cached keys and values, rings, carried states, fused decode, tails.

Written apart from reference.py and sharing no arithmetic with it, so that an error would have to be made twice.
It computes in the dtype of the weights it is given, which tells how much of a difference is float32 rounding.
"""

from dataclasses import dataclass, field

import numpy as np

from plt_config import Config

Array = np.ndarray
Weights = dict[str, Array]


@dataclass
class Ring:
    """Keys and values of the last window + 1 positions of one layer in one loop; slot = position mod (window + 1)."""

    keys: Array
    values: Array
    positions: Array
    """The position each slot holds, -1 while it is empty."""


@dataclass
class Sequence:
    """All that one sequence carries from chunk to chunk."""

    config: Config
    weights: Weights
    n_tokens: int = 0
    global_keys: list[Array] = field(default_factory=list)
    """Per layer [tokens, kv heads, head_dim], made by loop 0 and never rewritten."""
    global_values: list[Array] = field(default_factory=list)
    rings: dict[tuple[int, int], Ring] = field(default_factory=dict)
    """By (loop, layer), loops 1 and up."""
    carried: Array = field(init=False)
    """[loops - 1, hidden]: the last output of every loop but the last."""

    def __post_init__(self) -> None:
        self.truncate(0)

    def truncate(self, n_tokens: int) -> None:
        """Keeps the global keys and values of a prefix; rings and carried states are emptied."""
        config, dtype = self.config, self.weights["model.norm.weight"].dtype
        if not self.global_keys:
            empty = np.zeros((0, config.n_kv_heads, config.head_dim), dtype)
            self.global_keys, self.global_values = [empty] * config.n_layers, [empty] * config.n_layers
        self.n_tokens = n_tokens
        self.global_keys = [keys[:n_tokens] for keys in self.global_keys]
        self.global_values = [values[:n_tokens] for values in self.global_values]
        shape = (config.window + 1, config.n_kv_heads, config.head_dim)
        self.rings = {
            (loop, layer): Ring(np.zeros(shape, dtype), np.zeros(shape, dtype), np.full(config.window + 1, -1))
            for loop in range(1, config.n_loops)
            for layer in range(config.n_layers)
        }
        self.carried = np.zeros((config.n_loops - 1, config.hidden_size), dtype)


def prefill(sequence: Sequence, tokens: list[int], n_tail: list[int] | None = None) -> Array:
    """Runs one chunk loop by loop and returns the logits of every position that the last loop computed.

    `n_tail[r]` is how many of the chunk's last positions enter loop r, where that is not all of them.
    """
    config, weights = sequence.config, sequence.weights
    first, n_tokens = sequence.n_tokens, len(tokens)
    embeddings = weights["model.embed_tokens.weight"][tokens]
    carried = sequence.carried.copy()
    h = np.zeros_like(embeddings)
    for loop in range(config.n_loops):
        start = n_tokens - (n_tail[loop] if n_tail else n_tokens)
        rows = embeddings
        if loop > 0:
            shifted = np.concatenate([sequence.carried[loop - 1 : loop], h[:-1]])
            rows = scaled(config.emb_scale, embeddings) + scaled(config.hidden_scale, shifted)
        h = np.zeros_like(embeddings)
        for t in range(start, n_tokens):
            row = rows[t : t + 1]
            for layer in range(config.n_layers):
                row = run_layer(sequence, layer, row, first + t, [loop])
            h[t] = finish(config, weights, row, [loop])[0]
        if loop < config.n_loops - 1:
            carried[loop] = h[-1]
    sequence.carried = carried
    sequence.n_tokens += n_tokens
    return h[start:] @ head(config, weights).T


def decode(sequence: Sequence, token: int) -> Array:
    """One new token, all loops at once: row r of the batch is loop r."""
    config, weights = sequence.config, sequence.weights
    embedding = weights["model.embed_tokens.weight"][token]
    mixed = scaled(config.emb_scale, embedding) + scaled(config.hidden_scale, sequence.carried)
    rows = np.concatenate([embedding[None], mixed])
    loops = list(range(config.n_loops))
    for layer in range(config.n_layers):
        rows = run_layer(sequence, layer, rows, sequence.n_tokens, loops)
    h = finish(config, weights, rows, loops)
    sequence.carried = h[:-1]
    sequence.n_tokens += 1
    return h[-1] @ head(config, weights).T


def tail_lengths(config: Config) -> list[int]:
    """How many last positions must enter each loop for the logits of the last one.

    The last loop delivers one position. A layer reaches `window` positions further back than it delivers, and a loop
    reads the loop before it one position to the left; loop 0 makes the global keys and values, so it runs over all.
    """
    lengths = [0] * config.n_loops
    needed = 1
    for loop in reversed(range(1, config.n_loops)):
        lengths[loop] = needed + config.window * config.n_layers
        needed = lengths[loop] + 1
    return lengths


def rebuild_length(config: Config) -> int:
    """How many last tokens must run again when only the global keys and values of a prefix are left."""
    return (config.n_loops - 1) * (config.window * config.n_layers + 1)


def run_layer(sequence: Sequence, layer: int, rows: Array, position: int, loops: list[int]) -> Array:
    """One layer for rows of one position; row i belongs to loops[i]."""
    config, n_rows = sequence.config, len(rows)
    weights = {
        name.removeprefix(f"model.layers.{layer}."): weight
        for name, weight in sequence.weights.items()
        if name.startswith(f"model.layers.{layer}.")
    }
    normed = norm(rows, weights["input_layernorm.weight"], config.eps)
    queries = (normed @ weights["self_attn.q_proj.weight"].T).reshape(n_rows, -1, config.head_dim)
    keys = (normed @ weights["self_attn.k_proj.weight"].T).reshape(n_rows, -1, config.head_dim)
    values = (normed @ weights["self_attn.v_proj.weight"].T).reshape(n_rows, -1, config.head_dim)
    queries, keys = rotate(queries, position, config.rope_theta), rotate(keys, position, config.rope_theta)

    # Loop 0 appends before any row attends: the global branch of every loop includes the token itself.
    for i, loop in enumerate(loops):
        if loop == 0:
            sequence.global_keys[layer] = np.concatenate([sequence.global_keys[layer], keys[i : i + 1]])
            sequence.global_values[layer] = np.concatenate([sequence.global_values[layer], values[i : i + 1]])
        else:
            ring, slot = sequence.rings[loop, layer], position % (config.window + 1)
            ring.keys[slot], ring.values[slot], ring.positions[slot] = keys[i], values[i], position

    seen_keys, seen_values = sequence.global_keys[layer][: position + 1], sequence.global_values[layer][: position + 1]
    gate_input = norm(rows, weights["self_attn.plt_gate.gate_norm.weight"], config.eps)
    logits = gate_input @ weights["self_attn.plt_gate.weight"].T + weights["self_attn.plt_gate.bias"]
    gates = 1 / (1 + np.exp(-logits))
    attended = np.empty_like(queries)
    for i, loop in enumerate(loops):
        attended[i] = softmax_attend(queries[i], seen_keys, seen_values)
        if loop > 0:
            ring = sequence.rings[loop, layer]
            filled = ring.positions >= 0
            local = softmax_attend(queries[i], ring.keys[filled], ring.values[filled])
            attended[i] = local + gates[i][:, None] * (attended[i] - local)

    rows = rows + attended.reshape(n_rows, -1) @ weights["self_attn.o_proj.weight"].T
    normed = norm(rows, weights["post_attention_layernorm.weight"], config.eps)
    gate = normed @ weights["mlp.gate_proj.weight"].T
    up = normed @ weights["mlp.up_proj.weight"].T
    return rows + (gate / (1 + np.exp(-gate)) * up) @ weights["mlp.down_proj.weight"].T


def finish(config: Config, weights: Weights, rows: Array, loops: list[int]) -> Array:
    normed = norm(rows, weights["model.norm.weight"], config.eps)
    is_normed = [config.normalize_per_loop or loop == config.n_loops - 1 for loop in loops]
    return np.where(np.array(is_normed)[:, None], normed, rows)


def head(config: Config, weights: Weights) -> Array:
    return weights["model.embed_tokens.weight"] if config.tied else weights["lm_head.weight"]


def softmax_attend(queries: Array, keys: Array, values: Array) -> Array:
    """queries [heads, head_dim] against keys and values [positions, kv heads, head_dim]."""
    n_kv_heads, head_dim = keys.shape[1:]
    grouped = queries.reshape(n_kv_heads, -1, head_dim)
    scores = np.einsum("kgd,skd->kgs", grouped, keys) / np.sqrt(np.array(head_dim, keys.dtype))
    exponentials = np.exp(scores - scores.max(axis=-1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return np.einsum("kgs,skd->kgd", probabilities, values).reshape(-1, head_dim)


def rotate(vectors: Array, position: int, theta: float) -> Array:
    """RoPE as a product of complex numbers made of the first and the second half of each head."""
    half = vectors.shape[-1] // 2
    turn = np.exp(1j * position / theta ** (np.arange(half) / half))
    rotated = (vectors[..., :half] + 1j * vectors[..., half:]) * turn
    return np.concatenate([rotated.real, rotated.imag], axis=-1).astype(vectors.dtype)


def norm(rows: Array, weight: Array, eps: float) -> Array:
    return rows * weight / np.sqrt((rows**2).mean(axis=-1, keepdims=True) + np.array(eps, rows.dtype))


def scaled(factor: float, rows: Array) -> Array:
    return rows * np.array(factor, rows.dtype)
