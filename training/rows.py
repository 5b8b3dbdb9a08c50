"""Draws rows of training examples from the corpus; row number and seed decide a row, so a run can go on anywhere."""

from __future__ import annotations

import random
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from corpus import LANGUAGE_WEIGHTS, Corpus, Document
from fim import PREFIX_BUDGET, SUFFIX_BUDGET, Builder, Hole, draw_hole
from neighbours import Neighbours


class Picker:
    """Draws files: a language by its weight, a package by the root of its size, a file by the root of its own."""

    def __init__(self, corpus: Corpus) -> None:
        self.languages: list[str] = []
        self.weights: list[int] = []
        self.tables: dict[str, tuple[list[float], list[Document]]] = {}
        for language, weight in LANGUAGE_WEIGHTS.items():
            documents = corpus.documents(language)
            if not documents:
                continue
            self.languages.append(language)
            self.weights.append(weight)
            self.tables[language] = self._table(documents)

    @staticmethod
    def _table(documents: list[Document]) -> tuple[list[float], list[Document]]:
        size, roots = defaultdict[str, int](int), defaultdict[str, float](float)
        for d in documents:
            size[d.package] += len(d.text)
            roots[d.package] += len(d.text) ** 0.5
        shares = (size[d.package] ** 0.5 * len(d.text) ** 0.5 / roots[d.package] for d in documents)
        return list(accumulate(shares)), documents

    def draw(self, rng: random.Random, language: str | None = None) -> Document:
        """One file."""
        bounds, documents = self.tables[language or rng.choices(self.languages, self.weights)[0]]
        return documents[min(bisect(bounds, rng.random() * bounds[-1]), len(documents) - 1)]


class Source:
    """What rows of a split are drawn from; processes that are forked from the one that read it share it."""

    def __init__(self, work: Path, split: str) -> None:
        corpus = Corpus.load(work, split)
        self.split = split
        self.builder = Builder(Tokenizer.from_file(str(work / "tokenizer.json")))
        self.picker, self.neighbours = Picker(corpus), Neighbours(corpus)


class Rows(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches of rows (ids, weights) from row number `first` on, without end."""

    def __init__(self, source: Source, length: int, batch: int, first: int, seed: int) -> None:
        self.source, self.length = source, length
        self.batch, self.first, self.seed = batch, first, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # Where several processes make rows, each makes every so manieth batch.
        worker = get_worker_info()
        mine, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        number = self.first + mine * self.batch
        while True:
            rows = [self.row(number + i) for i in range(self.batch)]
            number += workers * self.batch
            yield torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])

    def row(self, number: int) -> tuple[list[int], list[float]]:
        """One row; all languages of a row are drawn afresh for each example in it."""
        source = self.source
        rng = random.Random(f"{self.seed}/{source.split}/{number}")

        drawn: list[Document] = []

        def pick() -> tuple[str, str]:
            drawn[:] = [source.picker.draw(rng)]
            return drawn[0].path, drawn[0].text

        def around(hole: Hole, rng: random.Random) -> list[tuple[str, str]]:
            return source.neighbours.around(drawn[0], hole, rng)

        example = source.builder.row(pick, self.length, rng, around)
        return example.ids, example.weights


@dataclass(frozen=True)
class Asked:
    """A prompt as the language server would send it, and the text that was cut out."""

    prompt: list[int]
    middle: list[int]
    text: str


def holes(
    corpus: Corpus, builder: Builder, kind: str, count: int, language: str | None = None, limit: int = 40
) -> list[Asked]:
    """The same holes of one kind every time, with middles of at most `limit` tokens."""
    picker, rng, found = Picker(corpus), random.Random(f"holes/{kind}/{language}"), []
    while len(found) < count:
        document = picker.draw(rng, language)
        hole = draw_hole(document.text, rng)
        if hole is None or hole.kind != kind:
            continue
        text = document.text[hole.start : hole.end]
        middle = builder.encode(text)
        if 0 < len(middle) <= limit:
            before, after = document.text[: hole.start], document.text[hole.end :]
            found.append(
                Asked(builder.prompt(document.path, before, after, PREFIX_BUDGET, SUFFIX_BUDGET), middle, text)
            )
    return found
