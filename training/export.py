"""Turns a checkpoint into the model folder that the binary embeds: weights, config, tokenizer, card and data list."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from card import Training, card
from plt import Plt, PltConfig
from tokenizer import SPECIAL_TOKENS


def config(name: str, cfg: PltConfig, end: int, pad: int) -> dict:
    """config.json, with the fields of the released checkpoints."""
    return {
        "_name_or_path": name,
        "architectures": ["IQuestPLTCoderForCausalLM"],
        "model_type": "iquestpltcoder",
        "version": "1",
        "torch_dtype": "bfloat16",
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "mlp_bias": False,
        "rope_scaling": None,
        "use_cache": True,
        "bos_token_id": end,
        "eos_token_id": end,
        "pad_token_id": pad,
        **cfg.to_dict(),
    }


def write_json(path: Path, table: dict) -> None:
    path.write_text(json.dumps(table, indent=2) + "\n")


def data_list(work: Path) -> dict:
    """The package list with what was kept of each, without training packages that nothing was kept of."""
    table = json.loads((work / "data.json").read_text())
    table["packages"] = [row for row in table["packages"] if row["files"] or row["split"] == "test"]
    return table


def lines(path: Path) -> list[dict]:
    """Of a log, which may not be there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def export(work: Path, out: Path, sources: str, ngram_model_weight: float) -> None:
    """Writes the whole folder; `sources` is what the language server shows of other files, 0 counts none."""
    out.mkdir(parents=True, exist_ok=True)
    state = torch.load(work / "checkpoint.pt", weights_only=True, map_location="cpu")
    model = Plt(PltConfig.from_dict(state["config"]))
    model.load_state_dict(state["model"])
    parameters = sum(p.numel() for p in model.parameters())
    name = f"dacapo-default-{parameters / 1e6:.0f}m"
    tensors = {key: value.bfloat16().contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    shutil.copyfile(work / "tokenizer.json", out / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    end, pad = tokenizer.token_to_id("<|endoftext|>"), tokenizer.token_to_id("<|fim_pad|>")
    write_json(out / "config.json", config(name, model.cfg, end, pad))
    generation = {
        "do_sample": False,
        "eos_token_id": end,
        "pad_token_id": pad,
        "prompt_layout": "suffix-first",
        "prompt_sources": sources,
    }
    if ngram_model_weight > 0:
        generation["ngram_model_weight"] = ngram_model_weight
    write_json(out / "generation_config.json", generation)
    special = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": model.cfg.max_position_embeddings,
        "eos_token": "<|endoftext|>",
        "pad_token": "<|fim_pad|>",
        "additional_special_tokens": list(SPECIAL_TOKENS),
    }
    write_json(out / "tokenizer_config.json", special)
    if (work / "data.json").exists():
        (out / "data.json").write_text(json.dumps(data_list(work), indent=1) + "\n")
    log = work / "train.jsonl"
    if log.exists():
        shutil.copyfile(log, out / "training.jsonl")
    report = work / "evaluation.json"
    numbers = json.loads(report.read_text()) if report.exists() else None
    training = Training(state["position"], state.get("origin"), state.get("device", "CPU"), lines(work / "race.jsonl"))
    (out / "MODEL_CARD.md").write_text(card(name, (model.cfg, parameters), training, data_list(work), numbers))


def take_rounded(rounded: Path, out: Path) -> None:
    """Weights and configuration of a copy in integers, as `dacapo model quantize` wrote it."""
    for name in ("model.safetensors", "config.json"):
        shutil.copyfile(rounded / name, out / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--out", type=Path, default=Path("models/default"))
    parser.add_argument("--sources", default="all", help="text of other files that prompts show: all, or none")
    parser.add_argument("--rounded", type=Path, help="folder whose weights in integers go into this one")
    parser.add_argument(
        "--ngram-model-weight", type=float, default=0.0, help="beside runs of tokens at hand; 0 for none"
    )
    args = parser.parse_args()
    export(args.work, args.out, args.sources, args.ngram_model_weight)
    if args.rounded:
        take_rounded(args.rounded, args.out)
    size = (args.out / "model.safetensors").stat().st_size
    print(f"{args.out}: {size / 1e6:.1f} MB of weights")


if __name__ == "__main__":
    main()
