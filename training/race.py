"""Which start is worth most: models begun in several ways, the same few steps each, at rates that rise and stay.

A start is a folder that `inherit.py` wrote. All see the same rows in the same order.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from plt import rope_tables
from train import WARM_UP, Run, parser

# Steps until rates have risen.
RISE = 20


class Entry(Run):
    """A run that is over before its rates would fall."""

    def progress(self) -> float:
        """As far as the rates go."""
        return WARM_UP * min(1.0, self.at.step / RISE)

    def race(self, length: int, steps: int) -> dict:
        """Mean loss of the last quarter of the steps."""
        self.rope = rope_tables(self.model.cfg, length, self.model.head().detach())
        losses, started = [], time.monotonic()
        for ids, weights in self.batches(length):
            losses.append(self.step(ids, weights))
            self.at.step += 1
            self.at.tokens += ids.numel()
            if self.at.step == steps:
                break
        last = losses[-max(1, steps // 4) :]
        return {
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "tokens": self.at.tokens,
            "loss": round(sum(last) / len(last), 4),
            "seconds": round(time.monotonic() - started, 1),
        }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, parents=[parser()], conflict_handler="resolve")
    arguments.add_argument("--starts", nargs="+", required=True)
    arguments.add_argument("--steps", type=int, default=60)
    arguments.add_argument("--length", type=int, default=1024, help="tokens in a row")
    args = arguments.parse_args()
    args.fresh = True
    for start in args.starts:
        args.start = Path(start)
        line = json.dumps(
            {"start": start, "matrix_lr": args.matrix_lr, "lr": args.lr} | Entry(args).race(args.length, args.steps)
        )
        print(line, flush=True)
        with (args.work / "race.jsonl").open("a") as out:
            out.write(line + "\n")


if __name__ == "__main__":
    main()
