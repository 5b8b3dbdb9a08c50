"""The Parallel Loop Transformer in float64, one loop, layer, token and head at a time.

This file is meant to be read beside the equations and trusted, so it is slow on purpose: no cache that outlives a
call, no batching. cached.py says the same again the way an engine would, and test_reference.py compares the two.
The small functions are also the seams at which mistakes.py plants plausible errors.

Notation: loops r = 0..R-1, tokens t, E_t the embedding of token t, h^r_t the output of loop r.
"""

from dataclasses import dataclass

import numpy as np

from plt_config import Config

Array = np.ndarray
Weights = dict[str, Array]


@dataclass(frozen=True)
class LayerCache:
    """Keys (after RoPE) and values that one layer made in one loop: per token an array [kv heads, head_dim]."""

    keys: list[Array]
    values: list[Array]


@dataclass(frozen=True)
class Result:
    logits: Array
    """[tokens, vocab_size]: row t scores the token that follows token t."""
    h: list[Array]
    """Per loop [tokens, hidden_size]: what the next loop reads; for the last loop, what the head reads."""


def forward(config: Config, weights: Weights, tokens: list[int]) -> Result:
    embeddings = weights["model.embed_tokens.weight"][tokens]
    frozen: list[LayerCache] | None = None
    h: list[Array] = []
    for loop in range(config.n_loops):
        previous = h[loop - 1] if loop > 0 else None
        inputs = [loop_input(config, loop, t, embeddings[t], previous) for t in range(len(tokens))]
        outputs, caches = run_loop(config, weights, loop, np.array(inputs), frozen)
        if loop == 0:
            frozen = caches
        if config.normalize_per_loop or loop == config.n_loops - 1:
            outputs = np.array([rms_norm(x, weights["model.norm.weight"], config.eps) for x in outputs])
        h.append(outputs)

    head = weights["model.embed_tokens.weight" if config.tied else "lm_head.weight"]
    return Result(logits=np.array([head @ state for state in h[-1]]), h=h)


def loop_input(config: Config, loop: int, t: int, embedding: Array, previous: Array | None) -> Array:
    """x^0_t = E_t, and x^r_t = a E_t + b h^{r-1}_{t-1} with zeros before the first token."""
    if loop == 0 or previous is None:
        return embedding
    carried = previous[t - 1] if t > 0 else np.zeros_like(embedding)
    return config.emb_scale * embedding + config.hidden_scale * carried


def run_loop(
    config: Config, weights: Weights, loop: int, inputs: Array, frozen: list[LayerCache] | None
) -> tuple[Array, list[LayerCache]]:
    """All layers over all tokens; `frozen` holds the keys and values of loop 0 and is None in loop 0 itself."""
    residual = inputs.copy()
    caches = []
    for layer in range(config.n_layers):
        name = f"model.layers.{layer}."
        cache = LayerCache([], [])
        for t in range(len(residual)):
            x = residual[t]
            x = x + attention(config, weights, name, loop, t, x, cache, frozen[layer] if frozen else None)
            z = rms_norm(x, weights[name + "post_attention_layernorm.weight"], config.eps)
            gated = silu(weights[name + "mlp.gate_proj.weight"] @ z) * (weights[name + "mlp.up_proj.weight"] @ z)
            residual[t] = x + weights[name + "mlp.down_proj.weight"] @ gated
        caches.append(cache)
    return residual, caches


def attention(
    config: Config,
    weights: Weights,
    name: str,
    loop: int,
    t: int,
    x: Array,
    cache: LayerCache,
    frozen: LayerCache | None,
) -> Array:
    """The attention block of one token, which also appends its key and value to `cache`."""
    y = rms_norm(x, weights[name + "input_layernorm.weight"], config.eps)
    position = rope_position(loop, t)
    queries = (weights[name + "self_attn.q_proj.weight"] @ y).reshape(config.n_heads, config.head_dim)
    keys = (weights[name + "self_attn.k_proj.weight"] @ y).reshape(config.n_kv_heads, config.head_dim)
    values = (weights[name + "self_attn.v_proj.weight"] @ y).reshape(config.n_kv_heads, config.head_dim)
    cache.keys.append(np.array([rope(key, position, config.rope_theta) for key in keys]))
    cache.values.append(values)

    outputs = []
    for head in range(config.n_heads):
        kv_head = head // (config.n_heads // config.n_kv_heads)
        query = rope(queries[head], position, config.rope_theta)
        global_output = attend(query, global_cache(cache, frozen), kv_head, global_span(t))
        if loop == 0:
            outputs.append(global_output)
            continue
        local_output = attend(query, cache, kv_head, local_span(config, t))
        gate = gates(config, weights, name, x)[head]
        outputs.append(mix(gate, global_output, local_output))
    return weights[name + "self_attn.o_proj.weight"] @ np.concatenate(outputs)


def global_cache(own: LayerCache, frozen: LayerCache | None) -> LayerCache:
    """The global branch of every loop reads what loop 0 wrote in the same layer."""
    return own if frozen is None else frozen


def global_span(t: int) -> range:
    return range(t + 1)


def local_span(config: Config, t: int) -> range:
    """The token itself and `window` tokens to its left: window + 1 keys."""
    return range(max(0, t - config.window), t + 1)


def gates(config: Config, weights: Weights, name: str, residual: Array) -> Array:
    """One number in 0..1 per query head, from the residual as it was before input_layernorm."""
    name += "self_attn.plt_gate."
    normed = rms_norm(residual, weights[name + "gate_norm.weight"], config.eps)
    return sigmoid(weights[name + "weight"] @ normed + weights[name + "bias"])


def mix(gate: float, global_output: Array, local_output: Array) -> Array:
    return gate * global_output + (1.0 - gate) * local_output


def attend(query: Array, cache: LayerCache, kv_head: int, span: range) -> Array:
    scores = np.array([query @ cache.keys[s][kv_head] for s in span]) / np.sqrt(len(query))
    exponentials = np.exp(scores - scores.max())
    probabilities = exponentials / exponentials.sum()
    output = np.zeros(len(query))
    for probability, s in zip(probabilities, span, strict=True):
        output += probability * cache.values[s][kv_head]
    return output


def rope_position(loop: int, t: int) -> int:
    """A token keeps its position in every loop, although the state it is fed comes from its left neighbour."""
    return t


def rope(vector: Array, position: int, theta: float) -> Array:
    """Rotates element i with element i + half, the pairing of GPT-NeoX."""
    half = len(vector) // 2
    rotated = np.empty_like(vector)
    for i in range(half):
        angle = position * theta ** (-2.0 * i / len(vector))
        rotated[i] = vector[i] * np.cos(angle) - vector[i + half] * np.sin(angle)
        rotated[i + half] = vector[i + half] * np.cos(angle) + vector[i] * np.sin(angle)
    return rotated


def rms_norm(x: Array, weight: Array, eps: float) -> Array:
    return x / np.sqrt(np.mean(x * x) + eps) * weight


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))
