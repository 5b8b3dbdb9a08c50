"""The fields of config.json that change the numbers of a Parallel Loop Transformer, and their fall-backs.

A field may be absent or null. The choices for that case, and why:

- plt_emb_scale, plt_hidden_scale: 1.0, since the configuration class says None and None means "not scaled".
- plt_num_loops: 1, a plain decoder; a file that says nothing about loops must not get any.
- plt_normalize_per_loop: false, what the vendor's serving code assumes for a file without the field.
- plt_window_size: [64, 0], the class default; only a causal window (second number 0) has a meaning here.
- plt_gate_use_hidden_states: false, the class default; that gate reads the query and is refused here.
- num_key_value_heads: num_attention_heads; head_dim: hidden_size / num_attention_heads.
- rms_norm_eps 1e-5, rope_theta 500000, tie_word_embeddings false: the released values.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Config:
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    eps: float
    rope_theta: float
    tied: bool
    n_loops: int
    window: int
    normalize_per_loop: bool
    emb_scale: float
    hidden_scale: float


def parse(fields: dict[str, Any]) -> Config:
    """Reads the released field names; raises ValueError for what this reference does not compute."""

    def get(name: str, default: Any) -> Any:
        value = fields.get(name)
        return default if value is None else value

    n_loops = get("plt_num_loops", 1)
    n_heads = fields["num_attention_heads"]
    window = get("plt_window_size", [64, 0])
    refused = {
        "plt_num_loops": n_loops < 1,
        "plt_window_size": window[0] < 0 or window[1] != 0,
        "plt_gate_use_hidden_states": n_loops > 1 and not get("plt_gate_use_hidden_states", False),
        "hidden_act": get("hidden_act", "silu") != "silu",
        "rope_scaling": fields.get("rope_scaling") is not None,
        "attention_bias": get("attention_bias", False),
        "mlp_bias": get("mlp_bias", False),
    }
    for name, is_refused in refused.items():
        if is_refused:
            raise ValueError(f"{name} = {fields.get(name)!r} is not computed by this reference")

    return Config(
        vocab_size=fields["vocab_size"],
        hidden_size=fields["hidden_size"],
        intermediate_size=fields["intermediate_size"],
        n_layers=fields["num_hidden_layers"],
        n_heads=n_heads,
        n_kv_heads=get("num_key_value_heads", n_heads),
        head_dim=get("head_dim", fields["hidden_size"] // n_heads),
        eps=float(get("rms_norm_eps", 1e-5)),
        rope_theta=float(get("rope_theta", 500000.0)),
        tied=get("tie_word_embeddings", False),
        n_loops=n_loops,
        window=window[0],
        normalize_per_loop=get("plt_normalize_per_loop", False),
        emb_scale=float(get("plt_emb_scale", 1.0)),
        hidden_scale=float(get("plt_hidden_scale", 1.0)),
    )
