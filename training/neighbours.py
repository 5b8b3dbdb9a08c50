"""Text of other files of a package for a hole, in the way the language server looks for it, but much cheaper.

The server finds definitions of the names near the caret by syntax trees, and code with the same words by an index.
Here definitions are found by a pattern, and the code with the same words is the best of a few places drawn at random.
"""

from __future__ import annotations

import random
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from corpus import Corpus, Document
from fim import Hole, indent_of, line_end

DEFINITION = re.compile(
    r"^[ \t]*(?:(?:pub(?:\([a-z]+\))?|export|default|async|static|public|private|protected|abstract|final|declare"
    r"|unsafe|const|inline|local)[ \t]+)*"
    r"(?:fn|def|class|struct|enum|trait|interface|type|func|function|mod|macro_rules!)[ \t]+(?:\([^)\n]*\)[ \t]*)?"
    r"([A-Za-z_]\w{3,})",
    re.MULTILINE,
)
WORD = re.compile(r"[A-Za-z_]\w{3,}")

# Characters beside a hole whose names count; what stands in the hole the server cannot know.
NEAR = 300
DEFINITIONS = 3
DRAWN = 12
CHUNK_LINES = 14
DEFINITION_LINES = 10
FILES = 200
# Characters of a file that definitions are looked for in.
INDEXED = 60_000


def dedented(lines: list[str]) -> str:
    """Lines without the white space that all of them begin with."""
    shared = min((indent_of(line) for line in lines if line.strip()), default=0)
    return "\n".join(line[shared:] for line in lines).rstrip()


def definition(text: str, start: int) -> str:
    """The line of a definition and the deeper lines below it, as far as they are few."""
    lines = text[start : start + 2000].split("\n")
    depth, taken = indent_of(lines[0]), lines[:1]
    for line in lines[1:DEFINITION_LINES]:
        closes = line.strip()[:1] in ("}", ")", "]")
        if line.strip() and indent_of(line) <= depth and not closes:
            break
        taken.append(line)
        if closes and indent_of(line) <= depth:
            break
    return dedented(taken)


Index = dict[str, tuple[int, int]]


def index_of(texts: list[str]) -> Index:
    """Where each name is defined that only one of these files defines: (file, offset)."""
    found: Index = {}
    shared: set[str] = set()
    for number, text in enumerate(texts):
        for match in DEFINITION.finditer(text):
            name = match.group(1)
            if found.setdefault(name, (number, match.start()))[0] != number:
                shared.add(name)
    for name in shared:
        del found[name]
    return found


class Neighbours:
    """Finds text in the other files of a file's package that are in the same language."""

    def __init__(self, corpus: Corpus) -> None:
        self.files: dict[tuple[str, str], list[Document]] = {}
        for language, documents in corpus.groups.items():
            for document in documents:
                self.files.setdefault((document.package, language), []).append(document)
        self.indices: dict[tuple[str, str], Index] = {}

    def _texts(self, key: tuple[str, str]) -> list[str]:
        return [document.text[:INDEXED] for document in self.files[key][:FILES]]

    def index_all(self, workers: int) -> None:
        """Indexes every package at once; else each is when it is first asked for."""
        keys = list(self.files)
        with ProcessPoolExecutor(workers, get_context("fork")) as pool:
            found = pool.map(index_of, map(self._texts, keys), chunksize=8)
            self.indices = dict(zip(keys, found, strict=True))

    def _index(self, key: tuple[str, str]) -> Index:
        if key not in self.indices:
            self.indices[key] = index_of(self._texts(key))
        return self.indices[key]

    def around(self, document: Document, hole: Hole, rng: random.Random) -> list[tuple[str, str]]:
        """A few (path, text), the best first."""
        key = (document.package, document.language)
        others = self.files[key][:FILES]
        if len(others) < 2:
            return []
        text = document.text
        near = WORD.findall(text[max(0, hole.start - NEAR) : hole.start])
        names = list(dict.fromkeys([*reversed(near), *WORD.findall(text[hole.end : hole.end + NEAR])]))
        index, found = self._index(key), []
        for name in names:
            place = index.get(name)
            if place and others[place[0]] is not document and len(found) < DEFINITIONS:
                other = others[place[0]]
                found.append((other.path, definition(other.text, place[1])))
        words, best, score = set(names), None, 0.05
        for _ in range(DRAWN):
            other = rng.choice(others)
            if other is document:
                continue
            start = other.text.rfind("\n", 0, rng.randrange(len(other.text))) + 1
            stop = start
            for _ in range(CHUNK_LINES):
                stop = min(line_end(other.text, stop) + 1, len(other.text))
            chunk = other.text[start:stop]
            seen = set(WORD.findall(chunk))
            alike = len(words & seen) / (len(words | seen) or 1)
            if alike > score:
                best, score = (other.path, dedented(chunk.split("\n"))), alike
        return [*found, best] if best else found
