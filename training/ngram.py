"""Fills holes without a model: the most frequent continuation of the longest context seen in the file or in the corpus.

It is told the kind of each hole, and so where to stop, which no editor could tell it: a baseline to be beaten.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from corpus import Corpus
from fim import indent_of

PIECE = re.compile(r"\n[ \t]*|[ \t]+|\w+|[^\w\s]|\s")
LONGEST = 6
MOST_PIECES = 48
MOST_LINES = 10


class Counts:
    """For every run of up to `LONGEST` pieces, the piece that followed it most often."""

    def __init__(self, words: Iterable[list[str]]) -> None:
        self.ids: dict[str, int] = {}
        self.pieces: list[str] = []
        # A zero stands before and between texts, so that no context reaches over a border.
        numbers = [0]
        for text in words:
            numbers += [self._id(piece) for piece in text]
            numbers.append(0)
        stream = np.array(numbers, dtype=np.uint64)
        self.tables = [self._table(stream, order) for order in range(1, LONGEST + 1)]

    def _id(self, piece: str) -> int:
        found = self.ids.setdefault(piece, len(self.ids) + 1)
        if found > len(self.pieces):
            self.pieces.append(piece)
        return found

    @staticmethod
    def _hash(columns: list[np.ndarray]) -> np.ndarray:
        """One number for each row of ids; the products wrap around."""
        mixed = np.zeros_like(columns[0])
        for column in columns:
            mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        return mixed

    def _table(self, stream: np.ndarray, order: int) -> tuple[np.ndarray, np.ndarray]:
        """Sorted contexts, and for each of them the most frequent next piece."""
        rows = len(stream) - order
        if rows <= 0:
            return np.zeros(0, np.uint64), np.zeros(0, np.uint64)
        columns = [stream[i : i + rows] for i in range(order)]
        nexts = stream[order:]
        inside = nexts > 0
        for column in columns:
            inside = inside & (column > 0)
        contexts, nexts = self._hash(columns)[inside], nexts[inside]
        turn = np.lexsort((nexts, contexts))
        contexts, nexts = contexts[turn], nexts[turn]
        starts = np.flatnonzero(np.r_[True, (contexts[1:] != contexts[:-1]) | (nexts[1:] != nexts[:-1])])
        if not len(contexts):
            return contexts, nexts
        counts = np.diff(np.r_[starts, len(contexts)])
        contexts, nexts = contexts[starts], nexts[starts]
        best = np.lexsort((-counts, contexts))
        contexts, nexts = contexts[best], nexts[best]
        first = np.r_[True, contexts[1:] != contexts[:-1]]
        return contexts[first], nexts[first]

    def after(self, context: list[str], order: int) -> str | None:
        """What followed the last `order` pieces most often."""
        ids = [self.ids.get(piece, 0) for piece in context[-order:]]
        if len(ids) < order or 0 in ids:
            return None
        keys, nexts = self.tables[order - 1]
        key = self._hash([np.array([i], dtype=np.uint64) for i in ids])[0]
        at = int(np.searchsorted(keys, key))
        if at == len(keys) or keys[at] != key:
            return None
        return self.pieces[int(nexts[at]) - 1]


class Filler:
    """Continues a text by the file around it where that knows a context as long, by the corpus otherwise."""

    def __init__(self, corpus: Counts) -> None:
        self.corpus = corpus

    def next(self, own: Counts, context: list[str]) -> str | None:
        """The next piece."""
        for order in range(LONGEST, 0, -1):
            for counts in (own, self.corpus):
                if piece := counts.after(context, order):
                    return piece
        return None

    def fill(self, kind: str, prompt: str, suffix: str) -> str:
        """An answer that ends where its kind ends."""
        own = Counts([PIECE.findall(prompt), PIECE.findall(suffix)])
        context = PIECE.findall(prompt)
        line = prompt[prompt.rfind("\n") + 1 :]
        # Behind its indentation a line begins as one that was broken before it.
        if not line.strip() and len(context) > 1:
            context = [*PIECE.findall(prompt[: len(prompt) - len(line) - 1]), f"\n{line}"]
        depth, written, open_brackets, lines = indent_of(line), [], 0, 1
        for _ in range(MOST_PIECES):
            piece = self.next(own, context + written)
            if piece is None:
                break
            if piece.startswith("\n"):
                if kind != "block" or len(piece) - 1 < depth or lines == MOST_LINES:
                    break
                lines += 1
            if kind == "arguments":
                open_brackets += (piece in "([{") - (piece in ")]}")
                if open_brackets < 0:
                    break
            written.append(piece)
        return "".join(written).rstrip()


# What the cutter of holes calls a language, where the corpus calls it something else.
NAMES = {"tsx": "typescript"}


def read(work: Path, split: str, language: str, most_bytes: int) -> Counts:
    """Counts over the files of one language, up to so much text."""
    texts, size = [], 0
    for document in Corpus.load(work, split).documents(NAMES.get(language, language)):
        if size >= most_bytes:
            break
        texts.append(PIECE.findall(document.text))
        size += len(document.text)
    return Counts(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--holes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most-mb", type=float, default=8, help="of text for each language")
    args = parser.parse_args()
    groups: dict[str, list[dict]] = {}
    for line in args.holes.read_text().splitlines():
        hole = json.loads(line)
        groups.setdefault(hole["language"], []).append(hole)
    with args.out.open("w") as out:
        for language, holes in groups.items():
            filler = Filler(read(args.work, "train", language, int(args.most_mb * 1e6)))
            for hole in holes:
                started = time.perf_counter()
                answer = filler.fill(hole["kind"], hole["prompt"], hole["suffix"])
                row = {"id": hole["id"], "answer": answer, "latency_ms": 1000 * (time.perf_counter() - started)}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(f"{language}: {len(holes)} holes", flush=True)


if __name__ == "__main__":
    main()
