"""Training examples: holes that look like what people type, and the token layout that the language server sends.

Serving layout: `<|file_sep|>{path}\n<|fim_suffix|>{suffix}<|fim_prefix|>{prefix}<|fim_middle|>`, after which the model
writes `{middle}<|endoftext|>`. Header, suffix, prefix and middle are tokenised each on its own.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tokenizers import Tokenizer

SUFFIX_BUDGET = 160
PREFIX_BUDGET = 480
# Share of a prompt that text of other files may take.
ELSEWHERE_SHARE = 0.4
MIDDLE_BUDGET = 96
MIDDLE_WEIGHT = 2.0
# Holes with this much room in their row see text of other files at this rate.
WIDE = 320
WIDE_RATE = 0.4

# No token of the vocabulary spans more characters than this on average over a budget's worth of code.
CHARS_PER_TOKEN = 6


@dataclass(frozen=True)
class Hole:
    """A span of a file that the model is to write."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """Token ids, and for each of them the weight of its loss."""

    ids: list[int]
    weights: list[float]


def line_end(text: str, at: int) -> int:
    """Where the line of `at` ends, before its newline."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def indent_of(line: str) -> int:
    """Width of the leading white space."""
    return len(line) - len(line.lstrip(" \t"))


def rest_of_line(text: str, rng: random.Random) -> Hole | None:
    """From some character of a line to its end, more often just behind a word or a bracket than inside one."""
    start = text.rfind("\n", 0, rng.randrange(len(text))) + 1
    end = line_end(text, start)
    line = text[start:end]
    if not line.strip():
        return None
    first = indent_of(line)
    edges = [m.start() for m in re.finditer(r"(?<=\w)(?=\W)|(?<=[\s(\[{.,=:])(?=\S)", line) if first <= m.start()]
    draw = rng.random()
    if draw < 0.15 or not edges:
        at = first
    elif draw < 0.65:
        at = rng.choice(edges)
    else:
        at = rng.randrange(first, len(line))
    return Hole("rest_of_line", start + at, end) if at < len(line) else None


def whole_line(text: str, rng: random.Random) -> Hole | None:
    """The next line: the cursor stands behind its indentation, or still at the end of the line before."""
    end = line_end(text, rng.randrange(len(text)))
    start = end + 1
    if start >= len(text):
        return None
    stop = line_end(text, start)
    line = text[start:stop]
    if not line.strip():
        return None
    return Hole("whole_line", start + indent_of(line) if rng.random() < 0.6 else end, stop)


BLOCK_LINES = 14


def block(text: str, rng: random.Random) -> Hole | None:
    """All lines indented deeper than the one above them where they are few, or a few lines of a flat stretch."""
    end = line_end(text, rng.randrange(len(text)))
    opener = text[text.rfind("\n", 0, end) + 1 : end]
    if not opener.strip():
        return None
    depth, stop, lines, at = indent_of(opener), end, 0, end + 1
    flat = rng.random() < 0.3
    wanted = rng.randint(2, 5) if flat else BLOCK_LINES + 1
    while at < len(text) and lines < wanted:
        close = line_end(text, at)
        line = text[at:close]
        if not line.strip() and flat:
            break
        if line.strip():
            if not flat and indent_of(line) <= depth:
                break
            stop, lines = close, lines + 1
        at = close + 1
    # A body that goes on behind its hole would teach that it ends anywhere.
    if lines == 0 or stop <= end or lines > BLOCK_LINES:
        return None
    start = end
    if rng.random() < 0.5:
        start = end + 1 + indent_of(text[end + 1 : stop])
    return Hole("block", start, stop)


def span(text: str, rng: random.Random) -> Hole | None:
    """Any run of characters, mostly short."""
    start = rng.randrange(len(text))
    end = min(len(text), start + 1 + int(rng.expovariate(1 / 40)))
    return Hole("span", start, end)


CLOSERS = {"(": ")", "[": "]", "{": "}"}
NODE_LENGTH = 400


def node(text: str, rng: random.Random) -> Hole | None:
    """What stands between two brackets that belong together: arguments, a list, a body. Strings are not told apart."""
    start = rng.randrange(len(text))
    found = re.compile(r"[(\[{]").search(text, start, start + 500)
    if found is None:
        return None
    opener, depth = found.group(), 0
    for at in range(found.start(), min(len(text), found.start() + NODE_LENGTH)):
        depth += (text[at] == opener) - (text[at] == CLOSERS[opener])
        if depth == 0:
            inside = text[found.end() : at]
            if opener == "{" and "\n" in inside:
                # The caret stands on a line of its own, and the bracket's line stays.
                left = len(inside) - len(inside.lstrip())
                inside, found_end = inside.strip(), found.end() + left
                return Hole("node", found_end, found_end + len(inside)) if inside else None
            return Hole("node", found.end(), at) if inside.strip() else None
    return None


COMMENT = re.compile(r"([ \t]*)(///|//!|//|#|--|\*) (?=\w)")


def comment(text: str, rng: random.Random) -> Hole | None:
    """A comment from behind its first sign to the end of the run of lines that begin with the same one."""
    start = text.rfind("\n", 0, rng.randrange(len(text))) + 1
    found = COMMENT.match(text, start)
    if found is None:
        return None
    sign, stop = found.group(1) + found.group(2), line_end(text, start)
    while text.startswith(sign, stop + 1):
        stop = line_end(text, stop + 1)
    return Hole("comment", found.end(), stop)


HOLES: tuple[tuple[float, Callable[[str, random.Random], Hole | None]], ...] = (
    (0.38, rest_of_line),
    (0.20, whole_line),
    (0.20, block),
    (0.11, node),
    # Few places suit it, so that far less than this share are comments.
    (0.04, comment),
    (0.07, span),
)


def draw_hole(text: str, rng: random.Random) -> Hole | None:
    """A hole of a random kind; None where the place drawn does not suit that kind."""
    draw = rng.random()
    for share, make in HOLES:
        if draw < share:
            return make(text, rng)
        draw -= share
    return None


class Builder:
    """Lays examples out in tokens."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.end = self._id("<|endoftext|>")
        self.prefix = self._id("<|fim_prefix|>")
        self.middle = self._id("<|fim_middle|>")
        self.suffix = self._id("<|fim_suffix|>")
        self.file = self._id("<|file_sep|>")

    def _id(self, token: str) -> int:
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"the tokenizer has no {token}")
        return found

    def encode(self, text: str) -> list[int]:
        """Plain text to ids."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def header(self, path: str) -> list[int]:
        """File separator, path, newline."""
        return [self.file, *self.encode(f"{path}\n")]

    def cut_prefix(self, text: str, budget: int) -> list[int]:
        """The last `budget` tokens at most, starting at a line start."""
        window = text[-budget * CHARS_PER_TOKEN :]
        if len(window) < len(text) and text[-len(window) - 1] != "\n":
            window = window[window.find("\n") + 1 :] if "\n" in window else ""
        while window:
            ids = self.encode(window)
            if len(ids) <= budget:
                return ids
            # Drop about the surplus, then go on to the next line start.
            extra = max(1, (len(ids) - budget) * len(window) // len(ids))
            after = window.find("\n", extra - 1)
            window = window[after + 1 :] if after >= 0 else ""
        return []

    def cut_suffix(self, text: str, budget: int) -> list[int]:
        """The first `budget` tokens at most, ending at a line end."""
        window = text[: budget * CHARS_PER_TOKEN]
        if len(window) < len(text):
            window = window[: window.rfind("\n") + 1]
        while window:
            ids = self.encode(window)
            if len(ids) <= budget:
                return ids
            keep = len(window) * budget // len(ids)
            window = window[: window.rfind("\n", 0, keep) + 1]
        return []

    def prompt(self, path: str, prefix: str, suffix: str, prefix_budget: int, suffix_budget: int) -> list[int]:
        """What the language server sends."""
        before = self.cut_prefix(prefix, prefix_budget)
        after = self.cut_suffix(suffix, suffix_budget)
        return [*self.header(path), self.suffix, *after, self.prefix, *before, self.middle]

    def elsewhere(self, snippets: Iterable[tuple[str, str]], room: int) -> list[int]:
        """Text of other files as the language server lays it out, each behind a file separator and below its path.

        The best come first, and stand last: nearest to the caret. What does not fit is left out.
        """
        parts: list[list[int]] = []
        for path, code in snippets:
            ids = [self.file, *self.encode(f"{path}\n{code.rstrip(chr(10))}\n")]
            if len(ids) <= room:
                room -= len(ids)
                parts.insert(0, ids)
        return [token for part in parts for token in part]

    def infill(
        self,
        path: str,
        text: str,
        hole: Hole,
        room: int,
        rng: random.Random,
        snippets: Iterable[tuple[str, str]] = (),
    ) -> Example | None:
        """A hole with its surroundings in at most `room` tokens; one example in eight puts the prefix first."""
        middle = self.encode(text[hole.start : hole.end])
        header = self.header(path)
        left = room - len(header) - len(middle) - 4
        elsewhere: list[int] = []
        if snippets and left > 0:
            elsewhere = self.elsewhere(snippets, int(ELSEWHERE_SHARE * left))
            left -= len(elsewhere)
        if not 0 < len(middle) <= MIDDLE_BUDGET or left < 16:
            return None
        suffix_budget = 0 if rng.random() < 0.12 else min(SUFFIX_BUDGET, left // 3)
        if rng.random() < 0.2:
            suffix_budget = rng.randint(0, suffix_budget)
        prefix_budget = min(PREFIX_BUDGET, left)
        if rng.random() < 0.15:
            prefix_budget = rng.randint(0, prefix_budget)
        after = self.cut_suffix(text[hole.end :], suffix_budget)
        before = self.cut_prefix(text[: hole.start], min(prefix_budget, left - len(after)))
        if rng.random() < 0.88:
            ids = [*elsewhere, *header, self.suffix, *after, self.prefix, *before, self.middle]
        else:
            ids = [*elsewhere, *header, self.prefix, *before, self.suffix, *after, self.middle]
        weights = [1.0] * len(ids) + [MIDDLE_WEIGHT] * (len(middle) + 1)
        return Example([*ids, *middle, self.end], weights)

    def plain(self, path: str, text: str, room: int, rng: random.Random) -> Example:
        """A stretch of a file from the start of some line, to its end or to the end of the room."""
        start = 0
        if rng.random() < 0.7:
            start = text.rfind("\n", 0, rng.randrange(len(text))) + 1
        window = text[start : start + room * CHARS_PER_TOKEN]
        ids = [*self.header(path), *self.encode(window)]
        if start + len(window) == len(text):
            ids.append(self.end)
        ids = ids[:room]
        return Example(ids, [1.0] * len(ids))

    def row(
        self,
        pick: Callable[[], tuple[str, str]],
        length: int,
        rng: random.Random,
        around: Callable[[Hole, random.Random], list[tuple[str, str]]] | None = None,
    ) -> Example:
        """Examples end to end, exactly `length` tokens; `pick` draws a (path, text).

        `around` finds text of other files for a hole in the file drawn last.
        """
        ids: list[int] = []
        weights: list[float] = []
        while len(ids) < length:
            path, text = pick()
            room = length - len(ids)
            example = None
            if rng.random() >= 0.15 and room >= 96:
                hole = draw_hole(text, rng)
                wide = around is not None and hole is not None and room >= WIDE and rng.random() < WIDE_RATE
                snippets = around(hole, rng) if wide else []
                example = self.infill(path, text, hole, room, rng, snippets) if hole else None
                if example is None:
                    continue
            example = example or self.plain(path, text, room, rng)
            ids += example.ids
            weights += example.weights
        return Example(ids, weights)
