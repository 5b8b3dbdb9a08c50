"""A small set of holes to commit: the first of a larger set, with as much text around each as a prompt takes.

What lies further away than the model can see changes no answer, only how large the set is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

KINDS = ("rest-of-line", "whole-line", "block")


def tail(text: str, most: int) -> str:
    """The last lines of a text in at most so many characters."""
    if len(text) <= most:
        return text
    start = text.find("\n", len(text) - most - 1) + 1
    return text[start:] if start else text[-most:]


def head(text: str, most: int) -> str:
    """The first lines of a text in at most so many characters."""
    if len(text) <= most:
        return text
    stop = text.rfind("\n", 0, most) + 1
    return text[: stop or most]


def cut(holes: list[dict], count: int, before: int, after: int) -> list[dict]:
    """The first holes of the kinds wanted, the same number of each language and kind or one less."""
    groups: dict[tuple[str, str], list[dict]] = {}
    for hole in holes:
        if hole["kind"] in KINDS:
            groups.setdefault((hole["language"], hole["kind"]), []).append(hole)
    turns = (
        group[turn] for turn in range(max(map(len, groups.values()))) for group in groups.values() if turn < len(group)
    )
    chosen = [hole for hole, _ in zip(turns, range(count), strict=False)]
    kept = ("id", "language", "kind", "prompt", "suffix", "reference", "path")
    small = [{key: hole[key] for key in kept} for hole in chosen]
    for hole in small:
        hole["prompt"], hole["suffix"] = tail(hole["prompt"], before), head(hole["suffix"], after)
    return small


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--holes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--before", type=int, default=2400, help="characters")
    parser.add_argument("--after", type=int, default=900, help="characters")
    args = parser.parse_args()
    holes = [json.loads(line) for line in args.holes.read_text().splitlines()]
    small = cut(holes, args.count, args.before, args.after)
    args.out.write_text("".join(json.dumps(hole, ensure_ascii=False) + "\n" for hole in small))
    print(f"{len(small)} holes, {args.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
