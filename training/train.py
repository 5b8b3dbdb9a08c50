"""Trains the model: Muon for the matrices of the layers, AdamW for the rest, learning rate to zero by the clock."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader

from corpus import Corpus
from fim import Builder
from muon import Muon, fast
from plt import Plt, PltConfig, load, rope_tables
from rows import Asked, Rows, Source, holes

# Tokens in a row for most of a run; the rest of it has rows as long as the model reads.
SHORT = 512
LONG_FROM = 0.8
WARM_UP = 0.02


@dataclass
class Position:
    """How far a run has come; saved with every checkpoint."""

    step: int = 0
    rows: int = 0
    tokens: int = 0
    seconds: float = 0.0


def optimisers(model: Plt, matrix_lr: float, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the 2-D weights inside the layers but the gates; AdamW without decay for everything small."""
    matrices, rest = [], []
    for name, value in model.named_parameters():
        inner = value.dim() == 2 and "layers" in name and "plt_gate" not in name
        (matrices if inner else rest).append(value)
    tables = [p for p in rest if p.dim() == 2]
    vectors = [p for p in rest if p.dim() == 1]
    groups = [{"params": tables, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    found = [torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95), eps=1e-10, fused=True), Muon(matrices, lr=matrix_lr)]
    for optimiser in found:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return found


def compiled(model: Plt) -> None:
    """Compiles what a model is made of, once for all its layers, which takes a tenth of the time of the whole."""
    torch._dynamo.config.recompile_limit = 64
    for layer in model.model.layers:
        layer.compile(dynamic=False)
    model.score = torch.compile(model.score, dynamic=False)


class Run:
    """One training run in a work folder."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.work: Path = args.work
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(args.seed)
        self.work.mkdir(parents=True, exist_ok=True)
        if args.start:
            # Its tokens are what its weights know: nothing else can go on from here.
            shutil.copyfile(args.start / "tokenizer.json", self.work / "tokenizer.json")
        self.model = (load(args.start) if args.start else Plt(PltConfig())).train().to(self.device)
        self.optimisers = optimisers(self.model, args.matrix_lr, args.lr)
        self.at = Position()
        origin = args.start and args.start / "inherit.json"
        self.origin = json.loads(origin.read_text()) if origin and origin.exists() else None
        self.checkpoint = self.work / "checkpoint.pt"
        if self.checkpoint.exists() and not args.fresh:
            self.restore()
        if args.compile:
            compiled(self.model)
        self.builder = Builder(Tokenizer.from_file(str(self.work / "tokenizer.json")))
        self.fixed_rows, self.fixed_holes = self.prepare_checks()
        self.source: Source | None = None
        self.started = time.monotonic()
        self.before = self.at.seconds
        self.stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: object) -> None:
        """A polite kill: the step is finished and saved."""
        self.stopped = True

    def prepare_checks(self) -> tuple[list[tuple[Tensor, Tensor]], list[Asked]]:
        """The same rows and holes of the valid packages in every run."""
        batches = iter(Rows(Source(self.work, "valid"), SHORT, 8, 0, 0))
        return [next(batches) for _ in range(6)], holes(
            Corpus.load(self.work, "valid"), self.builder, "rest_of_line", 100
        )

    def progress(self) -> float:
        """From 0 to 1, by tokens where a number was given, by running time otherwise."""
        if self.args.tokens:
            return self.at.tokens / self.args.tokens
        return self.at.seconds / (60 * self.args.minutes)

    def set_rates(self, progress: float) -> None:
        """Linear warm-up, then linear to zero."""
        scale = min(1.0, (progress + 1e-4) / WARM_UP) * max(0.0, 1 - max(0.0, progress - WARM_UP) / (1 - WARM_UP))
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * scale

    def step(self, ids: Tensor, weights: Tensor) -> float:
        """One update; returns the mean loss."""
        self.set_rates(self.progress())
        alone = self.progress() < self.args.one_loop_until
        self.model.model.cfg = replace(self.model.cfg, plt_num_loops=1) if alone else self.model.cfg
        with fast(self.device):
            total, count = self.model.loss(ids.to(self.device), weights.to(self.device), self.rope)
        mean = total / count
        mean.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return mean.item()

    @torch.no_grad()
    @torch.compiler.set_stance("force_eager")
    def check(self) -> dict[str, float]:
        """Valid loss, and how many valid holes greedy decoding would fill exactly."""
        total = count = exact = 0.0
        with fast(self.device):
            for ids, weights in self.fixed_rows:
                part, size = self.model.loss(ids.to(self.device), weights.to(self.device))
                total, count = total + part.item(), count + size.item()
            for asked in self.fixed_holes:
                # Greedy decoding yields the middle just when each of its tokens is the most likely one after the last.
                wanted = [*asked.middle, self.builder.end]
                ids = torch.tensor([asked.prompt + wanted], device=self.device)
                hidden = self.model.model.loops(ids)[-1][:, len(asked.prompt) - 1 : -1]
                best = (hidden @ self.model.head().T.to(hidden.dtype)).argmax(-1)[0].tolist()
                exact += best == wanted
        return {"valid_loss": round(total / count, 4), "rest_of_line_exact": exact / len(self.fixed_holes)}

    def save(self) -> None:
        """Replaces the checkpoint in one move."""
        self.at.seconds = self.before + time.monotonic() - self.started
        state = {
            "config": self.model.cfg.to_dict(),
            "model": self.model.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
            "position": vars(self.at),
            "origin": self.origin,
            "device": torch.cuda.get_device_name() if self.device == "cuda" else "CPU",
            "random": torch.get_rng_state(),
        }
        torch.save(state, self.checkpoint.with_suffix(".new"))
        self.checkpoint.with_suffix(".new").replace(self.checkpoint)

    def restore(self) -> None:
        """Takes up the saved run; peak rates come from the command line, not from the checkpoint."""
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            peaks = [g["peak"] for g in optimiser.param_groups]
            optimiser.load_state_dict(saved)
            for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                group["peak"] = peak
        self.at = Position(**state["position"])
        self.origin = state.get("origin")
        torch.set_rng_state(state["random"].cpu())

    def log(self, **values: float) -> None:
        line = json.dumps({"step": self.at.step, "tokens": self.at.tokens, **values})
        print(line, flush=True)
        with (self.work / "train.jsonl").open("a") as out:
            out.write(line + "\n")

    def batches(self, length: int) -> DataLoader[tuple[Tensor, Tensor]]:
        """Rows of one length from where the run is, made ahead by other processes."""
        batch = max(1, self.args.batch_tokens // length)
        if self.source is None:
            self.source = Source(self.work, "train")
            self.source.neighbours.index_all(self.args.workers)
        rows = Rows(self.source, length, batch, self.at.rows, self.args.seed)
        # Forked, they share the text and the index.
        return DataLoader(
            rows, batch_size=None, num_workers=self.args.workers, prefetch_factor=8, multiprocessing_context="fork"
        )

    def phase(self, length: int, until: float) -> None:
        """Trains on rows of one length up to a given progress."""
        self.rope = rope_tables(self.model.cfg, length, self.model.head().detach())
        losses, waited, since, saved = [], 0.0, time.monotonic(), time.monotonic()
        batches = iter(self.batches(length))
        while True:
            asked = time.monotonic()
            ids, weights = next(batches)
            waited += time.monotonic() - asked
            losses.append(self.step(ids, weights))
            self.at.step += 1
            self.at.rows += len(ids)
            self.at.tokens += ids.numel()
            self.at.seconds = self.before + time.monotonic() - self.started
            if self.at.step % 20 == 0:
                took = time.monotonic() - since
                self.log(
                    loss=round(sum(losses) / len(losses), 4),
                    tokens_per_second=round(len(losses) * ids.numel() / took),
                    # Of the time, for rows that were not ready yet.
                    waited=round(waited / took, 3),
                    progress=round(self.progress(), 4),
                )
                losses, waited, since = [], 0.0, time.monotonic()
            if self.at.step % self.args.check_every == 0:
                self.log(**self.check())
                waited, since = 0.0, time.monotonic()
            if time.monotonic() - saved > 60:
                self.save()
                saved = time.monotonic()
            if self.stopped:
                self.save()
                raise SystemExit("stopped; start again to go on")
            if self.progress() >= until:
                return

    def train(self) -> None:
        """Short rows first, then long ones, so that most of the run is spent on cheap attention."""
        if self.at.step == 0 and self.args.start:
            self.log(**self.check())
        if self.progress() < self.args.long_from:
            self.phase(SHORT, self.args.long_from)
        if self.progress() < 1:
            self.phase(self.model.cfg.max_position_embeddings, 1.0)
        self.save()
        self.log(**self.check())


def parser() -> argparse.ArgumentParser:
    """What a run is told."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--tokens", type=float, default=0, help="schedule by tokens instead of minutes")
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--workers", type=int, default=1, help="processes that make rows")
    parser.add_argument("--matrix-lr", type=float, default=0.02)
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--check-every", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--from", dest="start", type=Path, help="model folder to begin with, where there is no checkpoint yet"
    )
    parser.add_argument("--fresh", action="store_true", help="do not take up a checkpoint")
    parser.add_argument("--long-from", type=float, default=LONG_FROM, help="progress at which rows become long")
    parser.add_argument(
        "--one-loop-until",
        type=float,
        default=0,
        help="progress up to which the first loop alone learns, at half the cost",
    )
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    return parser


def main() -> None:
    Run(parser().parse_args()).train()


if __name__ == "__main__":
    main()
