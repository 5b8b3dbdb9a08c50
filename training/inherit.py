"""Begins a model with what a small Llama model knows: some of its layers, and its embeddings spelled in our tokens."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.models import BPE
from torch import Tensor

from plt import Plt, PltConfig
from tokenizer import SPECIAL_TOKENS

POSITIONS = 1024

# What a special token of ours is called there; the others begin as the mean of all tokens.
SAME_ROLE = {"<|endoftext|>": "<|endoftext|>", "<|repo_name|>": "<repo_name>", "<|file_sep|>": "<file_sep>"}

NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


class Parent:
    """A Llama model in a GGUF file, its weights widened to 32-bit floats."""

    def __init__(self, path: Path) -> None:
        self.path = path
        reader = GGUFReader(path)
        self.fields = reader.fields
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}

    def number(self, key: str) -> float:
        """A value of the file's description of the model."""
        return self.fields[f"llama.{key}"].contents()

    def tensor(self, name: str) -> Tensor:
        """A tensor in the shape that PyTorch gives it."""
        found = self.tensors[f"{name}.weight"]
        return torch.from_numpy(np.array(dequantize(found.data, found.tensor_type), dtype=np.float32))

    def origin(self, layers: list[int]) -> dict:
        """What a model card says of the parent, by the file itself."""

        def text(key: str) -> str:
            found = self.fields.get(f"general.{key}")
            return str(found.contents()) if found else "unknown"

        return {
            "name": self.path.stem,
            "licence": text("license"),
            "source": text("organization"),
            "layers": layers,
        }

    def config(self, layers: list[int], vocabulary: int) -> PltConfig:
        """As many sizes of the parent as there are in ours."""
        wide, heads = self.number("embedding_length"), self.number("attention.head_count")
        embedded, norm = self.tensor("token_embd"), self.tensor("output_norm")
        # The output of the first loop comes to weigh as much as the embedding that it is added to.
        scale = PltConfig.plt_emb_scale * float(embedded.pow(2).mean().sqrt() / norm.pow(2).mean().sqrt())
        return PltConfig(
            vocab_size=vocabulary,
            hidden_size=wide,
            intermediate_size=self.number("feed_forward_length"),
            num_hidden_layers=len(layers),
            num_attention_heads=heads,
            num_key_value_heads=self.number("attention.head_count_kv"),
            head_dim=wide // heads,
            max_position_embeddings=POSITIONS,
            rms_norm_eps=round(self.number("attention.layer_norm_rms_epsilon"), 12),
            rope_theta=self.number("rope.freq_base"),
            plt_hidden_scale=round(scale, 5),
        )

    def layer(self, number: int, cfg: PltConfig) -> dict[str, Tensor]:
        """The weights of one layer under our names."""
        found = {}
        for ours, theirs in NAMES.items():
            value = self.tensor(f"blk.{number}.{theirs}")
            if theirs in ("attn_q", "attn_k"):
                # The file interleaves the two halves of a head.
                value = value.view(-1, cfg.head_dim // 2, 2, cfg.hidden_size).transpose(1, 2).reshape(value.shape)
            found[f"{ours}.weight"] = value
        return found

    def embeddings(self, tokenizer: Tokenizer) -> Tensor:
        """For each of our tokens the mean of the parent's tokens that spell it."""
        tokens = self.fields["tokenizer.ggml.tokens"].contents()
        merges = [tuple(merge.split(" ")) for merge in self.fields["tokenizer.ggml.merges"].contents()]
        ids = {token: number for number, token in enumerate(tokens)}
        speller = BPE(vocab=ids, merges=merges)
        table = self.tensor("token_embd")
        rows = table.mean(0).repeat(tokenizer.get_vocab_size(), 1)
        for token, number in tokenizer.get_vocab().items():
            if token in SPECIAL_TOKENS:
                spelled = [ids[SAME_ROLE[token]]] if token in SAME_ROLE else []
            else:
                # Both write bytes as the same printable characters.
                spelled = [piece.id for piece in speller.tokenize(token)]
            if spelled:
                rows[number] = table[spelled].mean(0)
        return rows


def inherit(parent: Parent, layers: list[int], tokenizer: Tokenizer) -> Plt:
    """A model of the parent's layers of these numbers, in this order, whose gates are still shut by nothing."""
    cfg = parent.config(layers, tokenizer.get_vocab_size())
    model = Plt(cfg)
    state = {
        **model.state_dict(),
        "model.embed_tokens.weight": parent.embeddings(tokenizer),
        "model.norm.weight": parent.tensor("output_norm"),
    }
    for ours, theirs in enumerate(layers):
        state.update({f"model.layers.{ours}.{name}": value for name, value in parent.layer(theirs, cfg).items()})
    model.load_state_dict(state)
    return model


def numbers(text: str) -> list[int]:
    """`0,1,28` as a list."""
    return [int(part) for part in text.split(",")]


def write(model: Plt, origin: dict | None, tokenizer: Path, out: Path) -> None:
    """A folder that `train.py --from` begins with, and where its weights come from."""
    out.mkdir(parents=True, exist_ok=True)
    if origin:
        (out / "inherit.json").write_text(json.dumps(origin, indent=2) + "\n")
    save_file(model.state_dict(), out / "model.safetensors")
    (out / "config.json").write_text(json.dumps(model.cfg.to_dict(), indent=2) + "\n")
    shutil.copyfile(tokenizer, out / "tokenizer.json")


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--gguf", type=Path, required=True)
    parser.add_argument("--layers", type=numbers, required=True, help="numbers of the parent's layers, as 0,1,28,29")
    parser.add_argument("--random", action="store_true", help="a model of these sizes that knows nothing")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    torch.manual_seed(1)
    path = args.work / "tokenizer.json"
    parent, tokenizer = Parent(args.gguf), Tokenizer.from_file(str(path))
    if args.random:
        model = Plt(parent.config(args.layers, tokenizer.get_vocab_size()))
    else:
        model = inherit(parent, args.layers, tokenizer)
    write(model, None if args.random else parent.origin(args.layers), path, args.out)
    print(f"{args.out}: {sum(p.numel() for p in model.parameters()):,} parameters")


if __name__ == "__main__":
    main()
