"""How much a loop is worth: very small models over bytes of code, alike but for the number of loops.

Each model sees the same rows in the same order and has the same parameters, but for the gates, which one loop does
not use. `compute` asks for two more models that take as many matrix products as two loops did: one loop and more
tokens, and one that has one loop for half of them and two for the other half.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from corpus import Corpus
from plt import Plt, PltConfig, rope_tables
from rows import Picker
from train import optimisers

SMALL = PltConfig(
    vocab_size=256,
    hidden_size=128,
    intermediate_size=352,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    max_position_embeddings=256,
    plt_window_size=(32, 0),
)
LENGTH = 256
LANGUAGES = ("python", "rust")


@dataclass(frozen=True)
class Plan:
    """One model of the study."""

    loops: int
    seed: int
    tokens: int
    label: str
    # As many of the first tokens are seen with one loop alone.
    alone: int = 0


def text_of(picker: Picker, rng: random.Random) -> bytes:
    """A row of bytes from somewhere in a file, never across a border between files."""
    while True:
        data = picker.draw(rng, rng.choice(LANGUAGES)).text.encode()
        if len(data) > LENGTH:
            start = rng.randrange(len(data) - LENGTH)
            return data[start : start + LENGTH]


def batch(picker: Picker, rng: random.Random, rows: int) -> Tensor:
    """Rows of byte values."""
    return torch.tensor([list(text_of(picker, rng)) for _ in range(rows)])


def products(cfg: PltConfig) -> int:
    """Multiplications a token for all matrices, attention aside: those of the layers count once for each loop."""
    heads = cfg.num_attention_heads + cfg.num_key_value_heads
    layer = 2 * cfg.hidden_size * heads * cfg.head_dim + 3 * cfg.hidden_size * cfg.intermediate_size
    return cfg.num_hidden_layers * layer * cfg.plt_num_loops + cfg.hidden_size * cfg.vocab_size


@torch.no_grad()
def bits(model: Plt, rows: Tensor) -> float:
    """Mean bits a byte."""
    total = count = 0.0
    for part in rows.split(16):
        nats, size = model.loss(part, torch.ones(part.shape))
        total, count = total + nats.item(), count + size.item()
    return total / count / math.log(2)


@torch.no_grad()
def exact_rests(model: Plt, rows: Tensor) -> float:
    """Share of lines that greedy decoding would end as they end, from a place within them on, newline included."""
    rng, newline, hits, count = random.Random(0), ord("\n"), 0, 0
    for part in rows.split(16):
        best = model(part).argmax(-1)
        for row, guess in zip(part.tolist(), best.tolist(), strict=True):
            for _ in range(4):
                start = rng.randrange(LENGTH // 4, LENGTH - 1)
                if row[start] == newline or newline not in row[start:]:
                    continue
                end = row.index(newline, start) + 1
                hits, count = hits + (row[start:end] == guess[start - 1 : end - 1]), count + 1
    return hits / count


def run(plan: Plan, train: Picker, checks: Tensor, rows: int) -> dict:
    """Trains one model from nothing; the learning rate warms up and falls to zero by the tokens."""
    torch.manual_seed(plan.seed)
    model, rng = Plt(replace(SMALL, plt_num_loops=plan.loops)), random.Random(plan.seed)
    whole = model.model.cfg
    steppers = optimisers(model, 0.02, 0.003)
    rope = rope_tables(model.cfg, LENGTH, model.head().detach())
    weights, steps = torch.ones(rows, LENGTH), plan.tokens // (rows * LENGTH)
    started = time.process_time()
    for step in range(steps):
        scale = min(1.0, (step + 1) / (0.05 * steps)) * (1 - step / steps)
        is_alone = step * rows * LENGTH < plan.alone
        model.model.cfg = replace(whole, plt_num_loops=1) if is_alone else whole
        total, count = model.loss(batch(train, rng, rows), weights, rope)
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for stepper in steppers:
            for group in stepper.param_groups:
                group["lr"] = group["peak"] * scale
            stepper.step()
            stepper.zero_grad(set_to_none=True)
    found = {"label": plan.label, "loops": plan.loops, "seed": plan.seed, "tokens": steps * rows * LENGTH}
    used = [p for name, p in model.named_parameters() if plan.loops > 1 or "plt_gate" not in name]
    return {
        **found,
        "parameters": sum(p.numel() for p in used),
        "products_a_token": products(model.cfg),
        "bits_a_byte": round(bits(model, checks), 4),
        "exact_rests": round(exact_rests(model, checks), 4),
        "cpu_seconds": round(time.process_time() - started, 1),
    }


# Student's t, two-sided 95 %, by degrees of freedom.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78}


def summary(results: list[dict]) -> list[dict]:
    """Means over seeds, with 95 % intervals where there are two seeds or more."""
    rows = []
    for label in dict.fromkeys(row["label"] for row in results):
        same = [row for row in results if row["label"] == label]
        found = {**same[0], "seeds": len(same)}
        for key in ("bits_a_byte", "exact_rests"):
            found[key], found[f"{key}_interval"] = mean([row[key] for row in same])
        rows.append(found)
    return rows


def mean(values: list[float]) -> tuple[float, float | None]:
    """Of the seeds, and half of its 95 % interval where there are two or more."""
    spread = None
    if len(values) > 1:
        spread = STUDENT[min(len(values) - 1, 4)] * statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values), spread


def gains(results: list[dict]) -> list[dict]:
    """Seed by seed, how many bits a byte less than one loop; seeds share their rows, so this is the sharper figure."""
    first = {row["seed"]: row["bits_a_byte"] for row in results if row["label"] == "R=1"}
    rows = []
    for label in dict.fromkeys(row["label"] for row in results):
        less = [
            first[row["seed"]] - row["bits_a_byte"] for row in results if row["label"] == label and row["seed"] in first
        ]
        if label == "R=1" or not less:
            continue
        gain, spread = mean(less)
        rows.append({"label": label, "seeds": len(less), "gain": gain, "interval": spread})
    return rows


def study(args: argparse.Namespace, log: Path) -> None:
    """Trains the models and appends a line for each to the log."""
    train, valid = (Picker(Corpus.load(args.work, split)) for split in ("train", "valid"))
    checks = batch(valid, random.Random(0), 256)
    one, two = (products(replace(SMALL, plt_num_loops=loops)) for loops in (1, 2))
    longer = args.tokens * two / one
    for seed in args.seeds:
        plans = [Plan(loops, seed, int(args.tokens), f"R={loops}") for loops in args.loops]
        if args.compute:
            plans.append(Plan(1, seed, int(longer), "R=1, equal compute"))
            half = int(longer / 2)
            plans.append(Plan(2, seed, half + int(args.tokens / 2), "R=1, then R=2, equal compute", half))
        for plan in plans:
            line = json.dumps(run(plan, train, checks, args.rows))
            print(line, flush=True)
            with log.open("a") as out:
                out.write(line + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--tokens", type=float, default=1e6, help="bytes that each model sees")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2], help="none to sum up what is in the log")
    parser.add_argument("--loops", type=int, nargs="*", default=[1, 2, 3, 4])
    parser.add_argument("--compute", action="store_true", help="one loop too, and first one, with the compute of two")
    parser.add_argument("--rows", type=int, default=16, help="in a batch")
    args = parser.parse_args()
    log = args.work / "loops.jsonl"
    if args.seeds:
        study(args, log)
    results = [json.loads(line) for line in log.read_text().splitlines()]
    for row in [*summary(results), *gains(results)]:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
