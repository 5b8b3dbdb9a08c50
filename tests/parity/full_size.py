"""Writes a checkpoint of random weights in the shape of LoopCoder-V2: 7,615,749,680 parameters, 15.2 GB in bfloat16.

    python full_size.py DIRECTORY [--layers N] [--small]
    python full_size.py DIRECTORY --table --dacapo PATH [--contexts 1024,8192] [--tokens 8]

The first form writes three shards, an index and config.json; with --small its layers are as wide as those of
Qwen2.5-Coder-0.5B. The text that such weights give is noise; what is real is the layout, the size and therefore the time
and memory that everything takes. The second form writes them if they are not there, rounds them to 4 bits beside
DIRECTORY, and prints the table of docs/performance.md.
"""

import argparse
import json
import shutil
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Width(NamedTuple):
    vocab: int
    hidden: int
    mlp: int
    heads: int
    kv_heads: int
    head_dim: int


FULL = Width(vocab=76800, hidden=5120, mlp=27648, heads=40, kv_heads=8, head_dim=128)
SMALL = Width(vocab=151936, hidden=896, mlp=4864, heads=14, kv_heads=2, head_dim=64)
N_SHARDS = 3
STD = 0.02
# Random values are drawn once and read from another place for each tensor: drawing 7.6 billion would take longest.
POOL = 1 << 25


def layout(n_layers: int, width: Width) -> dict[str, tuple[int, ...]]:
    """Names and shapes in the released order."""
    vocab, hidden, mlp, heads, kv_heads, head_dim = width
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocab, hidden)}
    for i in range(n_layers):
        layer = {
            "input_layernorm.weight": (hidden,),
            "self_attn.q_proj.weight": (heads * head_dim, hidden),
            "self_attn.k_proj.weight": (kv_heads * head_dim, hidden),
            "self_attn.v_proj.weight": (kv_heads * head_dim, hidden),
            "self_attn.o_proj.weight": (hidden, heads * head_dim),
            "self_attn.plt_gate.weight": (heads, hidden),
            "self_attn.plt_gate.bias": (heads,),
            "self_attn.plt_gate.gate_norm.weight": (hidden,),
            "post_attention_layernorm.weight": (hidden,),
            "mlp.gate_proj.weight": (mlp, hidden),
            "mlp.up_proj.weight": (mlp, hidden),
            "mlp.down_proj.weight": (hidden, mlp),
        }
        shapes |= {f"model.layers.{i}.{name}": shape for name, shape in layer.items()}
    return shapes | {"model.norm.weight": (hidden,), "lm_head.weight": (vocab, hidden)}


def config(n_layers: int, width: Width) -> dict[str, object]:
    """The released configuration, but for the width."""
    return {
        "architectures": ["IQuestPLTCoderForCausalLM"],
        "model_type": "iquestpltcoder",
        "torch_dtype": "bfloat16",
        "vocab_size": width.vocab,
        "hidden_size": width.hidden,
        "intermediate_size": width.mlp,
        "num_hidden_layers": n_layers,
        "num_attention_heads": width.heads,
        "num_key_value_heads": width.kv_heads,
        "head_dim": width.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "rope_scaling": None,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": [2, 75864, 75869],
        "plt_num_loops": 2,
        "plt_window_size": [64, 0],
        "plt_normalize_per_loop": True,
        "plt_emb_scale": 0.707,
        "plt_hidden_scale": 0.053,
        "plt_gate_use_hidden_states": True,
    }


def to_bfloat16(values: np.ndarray) -> np.ndarray:
    """Truncated, which is good enough for noise."""
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def write_tensor(file, name: str, shape: tuple[int, ...], pool: np.ndarray, rng: np.random.Generator) -> None:
    """Ones for norms, noise for the rest."""
    left = int(np.prod(shape))
    if name.endswith("norm.weight"):
        file.write(to_bfloat16(np.ones(left)).tobytes())
        return
    start = int(rng.integers(POOL))
    while left:
        part = pool[start : start + left]
        file.write(part.tobytes())
        left -= part.size
        start = 0


def write_shard(path: Path, shapes: dict[str, tuple[int, ...]], pool: np.ndarray, rng: np.random.Generator) -> None:
    """One safetensors file."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for name, shape in shapes.items():
            write_tensor(file, name, shape, pool, rng)


def write_checkpoint(directory: Path, n_layers: int, width: Width) -> None:
    """All files of the checkpoint."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pool = to_bfloat16(rng.standard_normal(POOL, dtype=np.float32) * STD)
    shapes = layout(n_layers, width)
    names, weight_map = list(shapes), {}
    for shard in range(N_SHARDS):
        file_name = f"model-{shard + 1:05}-of-{N_SHARDS:05}.safetensors"
        part = names[shard * len(names) // N_SHARDS : (shard + 1) * len(names) // N_SHARDS]
        write_shard(directory / file_name, {name: shapes[name] for name in part}, pool, rng)
        weight_map |= dict.fromkeys(part, file_name)
    total = 2 * sum(int(np.prod(shape)) for shape in shapes.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    # Written last: what is there says that all is there.
    (directory / "config.json").write_text(json.dumps(config(n_layers, width), indent=1))
    print(f"{len(shapes)} tensors, {total // 2:,} parameters, {total:,} bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--layers", type=int, default=14, help="fewer for a quick try")
    parser.add_argument("--small", action="store_true", help="layers as wide as those of Qwen2.5-Coder-0.5B")
    parser.add_argument("--table", action="store_true", help="round the checkpoint, run it, and print what was seen")
    parser.add_argument("--dacapo", help="a release build, for --table")
    parser.add_argument("--contexts", default="1024,8192", help="lengths of prompts, comma-separated")
    parser.add_argument("--tokens", type=int, default=8, help="decoded after each prompt")
    args = parser.parse_args()
    if not (args.directory / "config.json").is_file():
        write_checkpoint(args.directory, args.layers, SMALL if args.small else FULL)
    # Any tokenizer will do for random text; the rounded copy takes it along.
    tokenizer = Path(__file__).parents[2] / "models" / "default" / "tokenizer.json"
    shutil.copy(tokenizer, args.directory / "tokenizer.json")
    if args.table:
        from full_size_table import measure

        contexts = [int(length) for length in args.contexts.split(",")]
        measure(args.dacapo, args.directory, contexts, args.tokens)


if __name__ == "__main__":
    main()
