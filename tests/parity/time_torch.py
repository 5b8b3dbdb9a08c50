"""Times PyTorch on a card beside `dacapo bench`: the reference model of `training/plt.py` with random weights in bf16.

    python time_torch.py [--layers 7] [--loops 2] [--prompt 8192]
    python time_torch.py --check

A decode step is one CUDA graph with scaled_dot_product_attention over a full cache, once as the equations say it, loop
after loop, and once with the loops of a token side by side, which reads the weights once. Prefill is the model as it is
trained, each loop over the whole prompt. Needs torch, and a CUDA device but for --check, which compares a step with the
model on a small shape in double precision.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2] / "training"))

from plt import Layer, Plt, PltConfig, rope_tables, rotate

FULL = {
    "vocab_size": 76800,
    "hidden_size": 5120,
    "intermediate_size": 27648,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
}
TINY = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "plt_window_size": (5, 0)}
TINY |= {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64}


class Decoder:
    """Keys and values of `length - 1` tokens and what their last handed on; takes in the token at the last place."""

    def __init__(self, model: Plt, length: int) -> None:
        cfg, like = model.cfg, model.head()
        self.model, self.cfg, self.length = model, cfg, length
        shape = (cfg.plt_num_loops, cfg.num_hidden_layers, 1, cfg.num_key_value_heads, length, cfg.head_dim)
        self.keys, self.values = (torch.randn(shape, dtype=like.dtype, device=like.device) for _ in range(2))
        self.carried = torch.randn(cfg.plt_num_loops - 1, cfg.hidden_size, dtype=like.dtype, device=like.device)
        self.rope = tuple(table[-1] for table in rope_tables(cfg, length, like))

    def fill(self, ids: list[int]) -> None:
        """Takes over what the model makes of the tokens before the last place."""
        cfg, stack = self.cfg, self.model.model
        embedded = stack.embed_tokens(torch.tensor([ids]))
        rope, kept, before = rope_tables(cfg, len(ids), embedded), [], embedded
        groups = cfg.num_attention_heads // cfg.num_key_value_heads
        for loop, handed_on in enumerate(stack.loops(torch.tensor([ids]))):
            x = embedded
            if loop > 0:
                x = cfg.plt_emb_scale * embedded + cfg.plt_hidden_scale * F.pad(before, (0, 0, 1, 0))[:, :-1]
            for index, layer in enumerate(stack.layers):
                x, (k, v) = layer(x, rope, kept[index] if loop > 0 else None)
                if loop == 0:
                    kept.append((k, v))
                self.keys[loop, index, 0, :, :-1] = k[0, ::groups]
                self.values[loop, index, 0, :, :-1] = v[0, ::groups]
            before = handed_on
            if loop + 1 < cfg.plt_num_loops:
                self.carried[loop] = handed_on[0, -1]

    def inputs(self, token: Tensor) -> Tensor:
        """What each loop begins with, [loops, hidden]."""
        row = self.model.model.embed_tokens(token)
        return torch.cat((row, self.cfg.plt_emb_scale * row + self.cfg.plt_hidden_scale * self.carried))

    def attend(self, index: int, layer: Layer, x: Tensor, first: int) -> Tensor:
        """What rows of the loops from `first` on take from their keys, [rows, hidden]."""
        cfg, attention = self.cfg, layer.self_attn
        y, rows = layer.input_layernorm(x), len(x)

        def heads(z: Tensor, count: int) -> Tensor:
            return z.view(rows, count, cfg.head_dim)

        q = rotate(heads(attention.q_proj(y), cfg.num_attention_heads), *self.rope)
        k = rotate(heads(attention.k_proj(y), cfg.num_key_value_heads), *self.rope)
        v = heads(attention.v_proj(y), cfg.num_key_value_heads)
        self.keys[first : first + rows, index, 0, :, -1] = k
        self.values[first : first + rows, index, 0, :, -1] = v
        wide = q.transpose(0, 1)[None]
        shared = (self.keys[0, index], self.values[0, index])
        out = F.scaled_dot_product_attention(wide, *shared, enable_gqa=True)[0].transpose(0, 1)
        later = slice(1 if first == 0 else 0, rows)
        if later.start < rows:
            gate = attention.plt_gate(x[later])[:, :, None].to(out.dtype)
            loops, seen = slice(first + later.start, first + rows), slice(-1 - cfg.plt_window_size[0], None)
            own = (kept[loops, index, 0, :, seen] for kept in (self.keys, self.values))
            local = F.scaled_dot_product_attention(q[later, :, None], *own, enable_gqa=True)[:, :, 0]
            out = torch.cat((out[: later.start], gate * out[later] + (1 - gate) * local))
        return attention.o_proj(out.reshape(rows, -1))

    def through(self, x: Tensor, first: int) -> Tensor:
        """All layers and the norm behind them."""
        stack = self.model.model
        for index, layer in enumerate(stack.layers):
            x = x + self.attend(index, layer, x, first)
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return stack.norm(x)

    def one_after_the_other(self, token: Tensor) -> Tensor:
        """Logits; each loop reads the weights."""
        outputs = [self.through(x[None], loop) for loop, x in enumerate(self.inputs(token))]
        return F.linear(outputs[-1], self.model.head())[0]

    def side_by_side(self, token: Tensor) -> Tensor:
        """Logits; the loops of the token are rows of one pass."""
        return F.linear(self.through(self.inputs(token), 0)[-1:], self.model.head())[0]


@torch.no_grad()
def check() -> None:
    """A step is what the model makes of the whole text."""
    torch.manual_seed(1)
    for loops in (1, 2, 3):
        model = Plt(PltConfig(**TINY, plt_num_loops=loops)).double()
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
        ids = torch.randint(50, (40,)).tolist()
        expected = model(torch.tensor([ids]))[0, -1]
        for name in ("one_after_the_other", "side_by_side"):
            decoder = Decoder(model, len(ids))
            decoder.fill(ids[:-1])
            found = getattr(decoder, name)(torch.tensor(ids[-1:]))
            print(f"{loops} loops, {name}: {((found - expected).norm() / expected.norm()).item():.1e}")
            assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9)


def median_ms(work: Callable[[], object], rounds: int) -> float:
    """Of so many rounds, each waited for."""
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - started))
    return round(statistics.median(times), 3)


def captured(step: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    """A step as a graph."""
    token, stream = torch.tensor([7], device="cuda"), torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            step(token)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step(token).argmax()
    return graph.replay


@torch.no_grad()
def measure(layers: int, loops: int, prompt: int) -> dict:
    """Milliseconds of a prompt and of a token behind it."""
    cfg = PltConfig(**FULL, num_hidden_layers=layers, plt_num_loops=loops)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = Plt(cfg)
        ids = torch.randint(cfg.vocab_size, (1, prompt))
        decoder = Decoder(model, prompt)

    def read() -> Tensor:
        return F.linear(model.model.loops(ids)[-1][:, -1], model.head()).argmax()

    read()
    found = {"layers": layers, "loops": loops, "prompt": prompt, "prefill_ms": median_ms(read, 5)}
    for name in ("one_after_the_other", "side_by_side"):
        found[f"token_{name}_ms"] = median_ms(captured(getattr(decoder, name)), 50)
    source = torch.empty(1 << 29, device="cuda", dtype=torch.uint8)
    target = torch.empty_like(source)
    took = median_ms(lambda: target.copy_(source), 20)
    found["copied_gb_per_second"] = round(2 * source.numel() / took / 1e6)
    return {"card": torch.cuda.get_device_name(), "torch": torch.__version__, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=7)
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=8192)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.check:
        check()
    else:
        print(json.dumps(measure(args.layers, args.loops, args.prompt)))


if __name__ == "__main__":
    main()
