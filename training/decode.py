"""Greedy decoding with caches: all loops of a new token in one pass over the layers."""

from __future__ import annotations

import torch
from torch import Tensor

from plt import Attention, Plt, rope_tables, rotate


class Decoder:
    """State of one sequence: loop 0's keys and values, those of later loops, and what each loop carries over."""

    def __init__(self, model: Plt) -> None:
        self.model = model
        self.cfg = model.cfg
        self.length = 0
        # keys[r][l] is [tokens, kv heads, head_dim]; for r >= 1 only the last `window` tokens are ever read.
        self.keys: list[list[Tensor]] = []
        self.values: list[list[Tensor]] = []
        self.carried: list[Tensor] = []
        self.rope = rope_tables(self.cfg, self.cfg.max_position_embeddings, model.head())

    def start(self, ids: list[int]) -> Tensor:
        """Reads a prompt, loop after loop; returns the logits behind its last token."""
        cfg, stack = self.cfg, self.model.model
        outputs, kept = [], []
        rope = tuple(t[: len(ids)] for t in self.rope)
        embedded = stack.embed_tokens(torch.tensor([ids], device=self.model.head().device))
        for loop in range(cfg.plt_num_loops):
            x = embedded
            if loop > 0:
                shifted = torch.cat((torch.zeros_like(x[:, :1]), outputs[-1][:, :-1].to(x.dtype)), 1)
                x = cfg.plt_emb_scale * x + cfg.plt_hidden_scale * shifted
            pairs = []
            for index, layer in enumerate(stack.layers):
                x, kv = layer(x, rope, kept[0][index] if loop > 0 else None)
                pairs.append(kv)
            kept.append(pairs)
            outputs.append(stack.norm(x))
        groups = cfg.num_attention_heads // cfg.num_key_value_heads
        self.keys = [[k[0, ::groups].transpose(0, 1) for k, _ in pairs] for pairs in kept]
        self.values = [[v[0, ::groups].transpose(0, 1) for _, v in pairs] for pairs in kept]
        self.carried = [h[0, -1] for h in outputs[:-1]]
        self.length = len(ids)
        return self.model.head() @ outputs[-1][0, -1].to(self.model.head().dtype)

    def step(self, token: int) -> Tensor:
        """Takes one token in; returns the logits behind it. Row r of the little batch is loop r."""
        cfg, stack = self.cfg, self.model.model
        row = stack.embed_tokens.weight[token]
        x = torch.stack([row, *(cfg.plt_emb_scale * row + cfg.plt_hidden_scale * h for h in self.carried)])
        for index, layer in enumerate(stack.layers):
            x = x + self._attend(index, layer.self_attn, layer.input_layernorm(x), x)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        x = stack.norm(x)
        self.carried = list(x[:-1])
        self.length += 1
        return self.model.head() @ x[-1].to(self.model.head().dtype)

    def _attend(self, index: int, attention: Attention, y: Tensor, residual: Tensor) -> Tensor:
        cfg = self.cfg
        cos, sin = (t[self.length] for t in self.rope)
        q = rotate(attention.q_proj(y).view(len(y), -1, cfg.head_dim), cos, sin)
        k = rotate(attention.k_proj(y).view(len(y), -1, cfg.head_dim), cos, sin)
        v = attention.v_proj(y).view(len(y), -1, cfg.head_dim)
        # Every loop of this token appends before any row attends: later loops read loop 0's entry of the same token.
        for loop in range(cfg.plt_num_loops):
            self.keys[loop][index] = torch.cat(
                (self.keys[loop][index], k[loop : loop + 1].to(self.keys[loop][index].dtype))
            )
            self.values[loop][index] = torch.cat(
                (self.values[loop][index], v[loop : loop + 1].to(self.values[loop][index].dtype))
            )
        out = read(q, self.keys[0][index], self.values[0][index])
        if cfg.plt_num_loops > 1:
            seen = cfg.plt_window_size[0] + 1
            local = [
                read(q[r : r + 1], self.keys[r][index][-seen:], self.values[r][index][-seen:])
                for r in range(1, cfg.plt_num_loops)
            ]
            gate = attention.plt_gate(residual[1:]).unsqueeze(-1)
            out = torch.cat((out[:1], gate * out[1:] + (1 - gate) * torch.cat(local)))
        return attention.o_proj(out.reshape(len(y), -1))


def read(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention of queries [rows, heads, dim] over all of [tokens, kv heads, dim]."""
    rows, heads, dim = q.shape
    grouped = q.view(rows, k.shape[1], heads // k.shape[1], dim)
    scores = torch.einsum("rgjd,tgd->rgjt", grouped, k.to(q.dtype)) * dim**-0.5
    return torch.einsum("rgjt,tgd->rgjd", scores.softmax(-1), v.to(scores.dtype)).reshape(rows, heads, dim)


@torch.no_grad()
def greedy(model: Plt, prompt: list[int], end: int, limit: int) -> list[int]:
    """The most likely tokens one by one, up to `end` or a limit; `end` itself is left out."""
    decoder = Decoder(model)
    logits = decoder.start(prompt)
    found: list[int] = []
    limit = min(limit, model.cfg.max_position_embeddings - len(prompt))
    while len(found) < limit:
        token = int(logits.argmax())
        if token == end:
            break
        found.append(token)
        logits = decoder.step(token)
    return found
