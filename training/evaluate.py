"""Measures an exported model on the test packages: loss, and holes filled by greedy decoding, by language and kind."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer

from corpus import Corpus
from decode import greedy
from fim import MIDDLE_BUDGET, Builder
from muon import fast
from plt import Plt, load
from rows import Picker, Rows, Source, holes

LANGUAGES = ("rust", "python", "typescript", "javascript", "go", "c")
KINDS = ("rest_of_line", "whole_line", "block")


def similarity(a: str, b: str) -> float:
    """One minus the edit distance as a share of the longer text."""
    if not a and not b:
        return 1.0
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return 1 - row[-1] / max(len(a), len(b))


@torch.no_grad()
def loss(model: Plt, work: Path, builder: Builder, rows: int) -> dict[str, float]:
    """Mean loss of all tokens in rows drawn as in training, and bits a byte on plain text."""
    device = model.head().device.type
    total = count = 0.0
    batches = iter(Rows(Source(work, "test"), 768, 4, 0, 0))
    with fast(device):
        for _ in range(rows // 4):
            ids, weights = next(batches)
            part, size = model.loss(ids.to(device), torch.ones_like(weights).to(device))
            total, count = total + part.item(), count + size.item()
    nats = letters = 0.0
    picker, rng = Picker(Corpus.load(work, "test")), random.Random(0)
    with fast(device):
        for _ in range(rows // 2):
            document = picker.draw(rng)
            ids = builder.plain(document.path, document.text, 768, rng).ids
            start = len(builder.header(document.path))
            weights = torch.tensor([[0.0] * start + [1.0] * (len(ids) - start)], device=device)
            part, _ = model.loss(torch.tensor([ids], device=device), weights)
            nats += part.item()
            letters += len(builder.tokenizer.decode(ids[start:]).encode())
    return {"loss": total / count, "loss_tokens": int(count), "bits_per_byte": nats / letters / 0.6931471805599453}


def fill(model: Plt, corpus: Corpus, builder: Builder, count: int) -> tuple[list[dict], list[dict]]:
    """One result row for every language and kind, and every single answer."""
    rows, answers = [], []
    device = model.head().device.type
    for language in LANGUAGES:
        for kind in KINDS:
            exact = close = 0.0
            asked_all = holes(corpus, builder, kind, count, language, MIDDLE_BUDGET)
            for asked in asked_all:
                with fast(device):
                    found = greedy(model, asked.prompt, builder.end, MIDDLE_BUDGET)
                text = builder.tokenizer.decode(found)
                exact += text == asked.text
                close += similarity(text, asked.text)
                shown = builder.tokenizer.decode(asked.prompt[-60:], skip_special_tokens=False)
                answers.append({"language": language, "kind": kind, "before": shown, "want": asked.text, "got": text})
            rows.append(
                {
                    "language": language,
                    "kind": kind,
                    "holes": count,
                    "exact": exact / count,
                    "similarity": close / count,
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    for kind in KINDS:
        same = [r for r in rows if r["kind"] == kind]
        means = {key: sum(r[key] for r in same) / len(same) for key in ("exact", "similarity")}
        rows.append({"language": "all", "kind": kind, "holes": count * len(same), **means})
        print(json.dumps(rows[-1]), flush=True)
    return rows, answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--model", type=Path, default=Path("models/default"))
    parser.add_argument("--holes", type=int, default=20, help="for each language and kind")
    parser.add_argument("--loss-rows", type=int, default=128)
    args = parser.parse_args()
    model = load(args.model)
    builder = Builder(Tokenizer.from_file(str(args.model / "tokenizer.json")))
    numbers = loss(model, args.work, builder, args.loss_rows)
    print(json.dumps(numbers), flush=True)
    rows, answers = fill(model, Corpus.load(args.work, "test"), builder, args.holes)
    (args.work / "evaluation.json").write_text(json.dumps({**numbers, "rows": rows}, indent=1) + "\n")
    (args.work / "answers.json").write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
