"""The Parallel Loop Transformer in PyTorch: the training model and the reference for the Rust engine.

One stack of Llama layers runs `num_loops` times. Loop 0 is an ordinary causal decoder. Every later loop reads, at
token t, the embedding of t plus the previous loop's normed output at t-1; its attention mixes full attention over
loop 0's keys and values with a short window over its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn


@dataclass(frozen=True)
class PltConfig:
    """Sizes and scales, named as in config.json."""

    vocab_size: int = 8192
    hidden_size: int = 256
    intermediate_size: int = 704
    num_hidden_layers: int = 4
    num_attention_heads: int = 8
    num_key_value_heads: int = 4
    head_dim: int = 32
    max_position_embeddings: int = 768
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    tie_word_embeddings: bool = True
    initializer_range: float = 0.02
    plt_num_loops: int = 2
    plt_window_size: tuple[int, int] = (64, 0)
    plt_emb_scale: float = 0.707
    plt_hidden_scale: float = 0.053
    plt_normalize_per_loop: bool = True
    plt_gate_use_hidden_states: bool = True

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> PltConfig:
        """Takes the fields it knows from a config.json."""
        known = {f.name for f in fields(cls)}
        picked = {k: v for k, v in raw.items() if k in known}
        if "plt_window_size" in picked:
            picked["plt_window_size"] = tuple(picked["plt_window_size"])
        return cls(**picked)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON-ready values."""
        return {**asdict(self), "plt_window_size": list(self.plt_window_size)}


class RmsNorm(nn.Module):
    """Root-mean-square norm, computed in at least 32-bit floats."""

    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x if x.dtype == torch.float64 else x.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (wide * scale * self.weight).to(x.dtype)


class PltGate(nn.Linear):
    """One scalar per query head, read from the residual stream through a norm of its own."""

    def __init__(self, cfg: PltConfig) -> None:
        super().__init__(cfg.hidden_size, cfg.num_attention_heads)
        self.gate_norm = RmsNorm(cfg.hidden_size, cfg.rms_norm_eps)

    def forward(self, residual: Tensor) -> Tensor:
        return torch.sigmoid(super().forward(self.gate_norm(residual)))


def rope_tables(cfg: PltConfig, length: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines [length, head_dim], the two halves alike."""
    exponents = torch.arange(0, cfg.head_dim, 2, device=like.device, dtype=torch.float64) / cfg.head_dim
    positions = torch.arange(length, device=like.device, dtype=torch.float64)
    angles = torch.outer(positions, cfg.rope_theta**-exponents)
    angles = torch.cat((angles, angles), -1)
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """NeoX rotary embedding: the head is split in two halves, not in pairs."""
    low, high = x.chunk(2, -1)
    return x * cos.to(x.dtype) + torch.cat((-high, low), -1) * sin.to(x.dtype)


def causal_attention(q: Tensor, k: Tensor, v: Tensor, block: int = 128) -> Tensor:
    """Causal attention over all tokens before and self, in blocks of queries that read no key behind their last."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    # On CPUs plain matrix products with a compiled softmax train more than twice as fast as the fused operator.
    length, parts = q.shape[2], []
    for start in range(0, length, block):
        stop = min(start + block, length)
        row = torch.arange(start, stop, device=q.device)[:, None]
        hidden = torch.arange(stop, device=q.device)[None, :] > row
        scores = q[:, :, start:stop] @ k[:, :, :stop].transpose(-1, -2)
        scores = (scores * q.shape[-1] ** -0.5).masked_fill(hidden, float("-inf"))
        parts.append(scores.softmax(-1).to(v.dtype) @ v[:, :, :stop])
    return torch.cat(parts, 2)


def window_attention(q: Tensor, k: Tensor, v: Tensor, left: int) -> Tensor:
    """Causal attention over self and `left` tokens before it, in blocks of `left` queries against two key blocks."""
    batch, heads, length, dim = q.shape
    pad = -length % left
    blocks = (length + pad) // left
    q = F.pad(q, (0, 0, 0, pad)).reshape(batch, heads, blocks, left, dim)

    def pairs(x: Tensor) -> Tensor:
        own = F.pad(x, (0, 0, 0, pad)).reshape(batch, heads, blocks, left, dim)
        before = F.pad(own, (0, 0, 0, 0, 1, 0))[:, :, :-1]
        return torch.cat((before, own), 3)

    row = torch.arange(left, device=q.device)[:, None]
    col = torch.arange(2 * left, device=q.device)[None, :]
    seen = (col >= row) & (col <= row + left)
    first = torch.arange(blocks, device=q.device)[:, None, None] == 0
    seen = seen & ~(first & (col < left))
    scores = (q @ pairs(k).transpose(-1, -2) * dim**-0.5).masked_fill(~seen, float("-inf"))
    out = scores.softmax(-1).to(v.dtype) @ pairs(v)
    return out.reshape(batch, heads, length + pad, dim)[:, :, :length]


class Attention(nn.Module):
    """Grouped-query attention: global in loop 0, gated global and local in later loops."""

    def __init__(self, cfg: PltConfig) -> None:
        super().__init__()
        self.cfg = cfg
        wide, narrow = cfg.num_attention_heads * cfg.head_dim, cfg.num_key_value_heads * cfg.head_dim
        self.q_proj = nn.Linear(cfg.hidden_size, wide, bias=False)
        self.k_proj = nn.Linear(cfg.hidden_size, narrow, bias=False)
        self.v_proj = nn.Linear(cfg.hidden_size, narrow, bias=False)
        self.o_proj = nn.Linear(wide, cfg.hidden_size, bias=False)
        self.plt_gate = PltGate(cfg)

    def forward(
        self, y: Tensor, residual: Tensor, rope: tuple[Tensor, Tensor], shared: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Attention output, and the keys and values of this loop (`shared` holds loop 0's, None in loop 0)."""
        cfg = self.cfg
        batch, length, _ = y.shape
        groups = cfg.num_attention_heads // cfg.num_key_value_heads

        def heads(x: Tensor, count: int) -> Tensor:
            return x.view(batch, length, count, cfg.head_dim).transpose(1, 2)

        q = rotate(heads(self.q_proj(y), cfg.num_attention_heads), *rope)
        k = rotate(heads(self.k_proj(y), cfg.num_key_value_heads), *rope).repeat_interleave(groups, 1)
        v = heads(self.v_proj(y), cfg.num_key_value_heads).repeat_interleave(groups, 1)
        read = (k, v) if shared is None else shared
        out = causal_attention(q, *read)
        if shared is not None:
            gate = self.plt_gate(residual).transpose(1, 2).unsqueeze(-1).to(out.dtype)
            local = window_attention(q, k, v, cfg.plt_window_size[0])
            out = gate * out + (1 - gate) * local
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1)), (k, v)


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self, cfg: PltConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(cfg.hidden_size, cfg.intermediate_size, bias=False)
        self.up_proj = nn.Linear(cfg.hidden_size, cfg.intermediate_size, bias=False)
        self.down_proj = nn.Linear(cfg.intermediate_size, cfg.hidden_size, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(z)) * self.up_proj(z))


class Layer(nn.Module):
    """One decoder layer, shared by all loops."""

    def __init__(self, cfg: PltConfig) -> None:
        super().__init__()
        self.input_layernorm = RmsNorm(cfg.hidden_size, cfg.rms_norm_eps)
        self.self_attn = Attention(cfg)
        self.post_attention_layernorm = RmsNorm(cfg.hidden_size, cfg.rms_norm_eps)
        self.mlp = Mlp(cfg)

    def forward(
        self, x: Tensor, rope: tuple[Tensor, Tensor], shared: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        mixed, kv = self.self_attn(self.input_layernorm(x), x, rope, shared)
        x = x + mixed
        return x + self.mlp(self.post_attention_layernorm(x)), kv


class Stack(nn.Module):
    """Embedding, layers and the norm that closes every loop."""

    def __init__(self, cfg: PltConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed_tokens = nn.Embedding(cfg.vocab_size, cfg.hidden_size)
        self.layers = nn.ModuleList(Layer(cfg) for _ in range(cfg.num_hidden_layers))
        self.norm = RmsNorm(cfg.hidden_size, cfg.rms_norm_eps)

    def loops(self, ids: Tensor, rope: tuple[Tensor, Tensor] | None = None) -> list[Tensor]:
        """What each loop hands on, for all tokens at once; the last one feeds the head."""
        cfg = self.cfg
        embedded = self.embed_tokens(ids)
        rope = rope or rope_tables(cfg, ids.shape[1], embedded)
        kept: list[tuple[Tensor, Tensor]] = []
        outputs: list[Tensor] = []
        for loop in range(cfg.plt_num_loops):
            x = embedded
            if loop > 0:
                shifted = F.pad(outputs[-1], (0, 0, 1, 0))[:, :-1]
                x = cfg.plt_emb_scale * embedded + cfg.plt_hidden_scale * shifted
            for index, layer in enumerate(self.layers):
                x, kv = layer(x, rope, kept[index] if loop > 0 else None)
                if loop == 0:
                    kept.append(kv)
            last = loop == cfg.plt_num_loops - 1
            outputs.append(self.norm(x) if last or cfg.plt_normalize_per_loop else x)
        return outputs


class Plt(nn.Module):
    """The whole model; parameter names are those of the released checkpoints."""

    def __init__(self, cfg: PltConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.model = Stack(cfg)
        if not cfg.tie_word_embeddings:
            self.lm_head = nn.Linear(cfg.hidden_size, cfg.vocab_size, bias=False)
        self._init()

    def _init(self) -> None:
        std = self.cfg.initializer_range
        # Every matrix that writes to the residual stream does so once per layer and loop.
        depth = (2 * self.cfg.num_hidden_layers * self.cfg.plt_num_loops) ** -0.5
        for name, value in self.named_parameters():
            if "plt_gate" in name and "norm" not in name:
                nn.init.zeros_(value)
            elif value.dim() == 2:
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(value, std=std * (depth if writes else 1.0))

    def head(self) -> Tensor:
        """The matrix that turns hidden states into logits."""
        return self.model.embed_tokens.weight if self.cfg.tie_word_embeddings else self.lm_head.weight

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the last loop, [batch, length, vocab]."""
        return F.linear(self.model.loops(ids)[-1], self.head())

    def loss(self, ids: Tensor, weights: Tensor, rope: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Weighted sum of the next-token losses, and the sum of the weights; `weights[t]` belongs to token t.

        A compiled caller passes the rotary tables in: traced along, they would be worked out again for every use.
        """
        return self.score(self.model.loops(ids, rope)[-1], ids, weights)

    def score(self, hidden: Tensor, ids: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """As `loss`, from what the last loop hands on."""
        logits = F.linear(hidden[:, :-1], self.head())
        losses = F.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
        scale = weights[:, 1:].flatten()
        return (losses * scale).sum(), scale.sum()


def load(folder: Path) -> Plt:
    """A model from a folder in the layout of the released checkpoints, its weights widened to 32-bit floats."""
    model = Plt(PltConfig.from_dict(json.loads((folder / "config.json").read_text())))
    tensors = {name: value.float() for name, value in load_file(folder / "model.safetensors").items()}
    model.load_state_dict(tensors)
    return model.eval()
