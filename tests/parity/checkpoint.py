"""Random checkpoints in the released layout: config.json and one or several safetensors files.

The values are chosen so that no part of the model can be wrong unseen: attention is far from uniform, gates spread
over about 0.1 to 0.9, norm weights differ from 1, and the carried state weighs as much as the embedding.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

import plt_config
import tensor_file

TORCH_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}

RELEASED_FIELDS: dict[str, Any] = {
    "architectures": ["IQuestPLTCoderForCausalLM"],
    "model_type": "iquestpltcoder",
    "vocab_size": 48,
    "hidden_size": 32,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "hidden_act": "silu",
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "rope_scaling": None,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "mlp_bias": False,
    "initializer_range": 0.02,
    "tie_word_embeddings": False,
    "use_cache": True,
    "bos_token_id": 1,
    "eos_token_id": [2, 5, 6],
    "pad_token_id": None,
    "transformers_version": "4.57.1",
    "plt_num_loops": 2,
    "plt_window_size": [5, 0],
    "plt_normalize_per_loop": True,
    "plt_emb_scale": 0.707,
    "plt_hidden_scale": 0.6,
    "plt_gate_use_hidden_states": True,
}


def make_fields(**changes: Any) -> dict[str, Any]:
    """The released fields at toy size, with `changes`; a change to `...` removes the field."""
    return {name: value for name, value in (RELEASED_FIELDS | changes).items() if value is not ...}


def random_weights(config: plt_config.Config, seed: int) -> dict[str, np.ndarray]:
    # RandomState and not Generator: its streams are frozen, so the same seed gives the same files for good.
    random = np.random.RandomState(seed)

    def linear(n_out: int, n_in: int, gain: float) -> np.ndarray:
        return random.standard_normal((n_out, n_in)) * (gain / np.sqrt(n_in))

    def norm() -> np.ndarray:
        return 1.0 + 0.3 * random.standard_normal(config.hidden_size)

    hidden, heads = config.hidden_size, config.n_heads
    query_width, kv_width = heads * config.head_dim, config.n_kv_heads * config.head_dim
    # Embeddings follow the size of the carried state, or a small hidden_scale would hide every loop but the first.
    weights = {"model.embed_tokens.weight": random.standard_normal((config.vocab_size, hidden)) * config.hidden_scale}
    for layer in range(config.n_layers):
        name = f"model.layers.{layer}."
        weights[name + "input_layernorm.weight"] = norm()
        weights[name + "self_attn.q_proj.weight"] = linear(query_width, hidden, 1.3)
        weights[name + "self_attn.k_proj.weight"] = linear(kv_width, hidden, 1.3)
        weights[name + "self_attn.v_proj.weight"] = linear(kv_width, hidden, 1.0)
        weights[name + "self_attn.o_proj.weight"] = linear(hidden, query_width, 1.0)
        weights[name + "self_attn.plt_gate.weight"] = linear(heads, hidden, 1.0)
        weights[name + "self_attn.plt_gate.bias"] = 0.6 * random.standard_normal(heads)
        weights[name + "self_attn.plt_gate.gate_norm.weight"] = norm()
        weights[name + "post_attention_layernorm.weight"] = norm()
        weights[name + "mlp.gate_proj.weight"] = linear(config.intermediate_size, hidden, 1.0)
        weights[name + "mlp.up_proj.weight"] = linear(config.intermediate_size, hidden, 1.0)
        weights[name + "mlp.down_proj.weight"] = linear(hidden, config.intermediate_size, 1.0)
    weights["model.norm.weight"] = norm()
    if not config.tied:
        weights["lm_head.weight"] = linear(config.vocab_size, hidden, 1.0)
    return weights


def random_tokens(config: plt_config.Config, n_tokens: int, seed: int) -> list[int]:
    return np.random.RandomState(seed).randint(0, config.vocab_size, n_tokens).tolist()


def write(folder: Path, fields: dict[str, Any], seed: int, dtype: str, n_shards: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fields = fields | {"torch_dtype": TORCH_DTYPES[dtype]}
    (folder / "config.json").write_text(json.dumps(fields, indent=2) + "\n")

    weights = random_weights(plt_config.parse(fields), seed)
    if n_shards == 1:
        tensor_file.write(folder / "model.safetensors", weights, dtype)
        return
    names = list(weights)
    weight_map: dict[str, str] = {}
    for shard in range(n_shards):
        # Dealt out in turn, so that every layer is spread over all files.
        in_shard = {name: weights[name] for name in names[shard::n_shards]}
        file_name = f"model-{shard + 1:05}-of-{n_shards:05}.safetensors"
        tensor_file.write(folder / file_name, in_shard, dtype)
        weight_map |= dict.fromkeys(in_shard, file_name)
    n_bytes = sum(weight.size for weight in weights.values()) * tensor_file.N_BYTES[dtype]
    index = {"metadata": {"total_size": n_bytes}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def read(folder: Path) -> tuple[plt_config.Config, dict[str, np.ndarray]]:
    """The config and the weights as stored, so that rounding to the file's dtype is part of the model."""
    config = plt_config.parse(json.loads((folder / "config.json").read_text()))
    weights: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights |= tensor_file.read(path)
    return config, weights
