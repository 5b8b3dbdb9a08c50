"""Tables and pictures of evaluations: reports of `dacapo eval --json` side by side, and the curve of a training log."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLOURS = ("#9aa5b1", "#e0a030", "#3a6ea5", "#5b8c5a")
FIGURES = {
    "exact_match": "exact match %",
    "edit_similarity": "edit similarity %",
    "identifier_f1": "names %",
    "parse_rate": "parse %",
}


@dataclass(frozen=True)
class Named:
    """A report and what to call it."""

    name: str
    report: dict


def named(text: str) -> Named:
    """From NAME=FILE."""
    name, _, path = text.partition("=")
    return Named(name, json.loads(Path(path).read_text())["runs"][0])


def percent(estimate: dict | None, interval: bool = False) -> str:
    """A share in percent; `-` where there is none."""
    if estimate is None:
        return "-"
    if interval:
        return f"{100 * estimate['mean']:.1f} [{100 * estimate['low']:.1f}, {100 * estimate['high']:.1f}]"
    return f"{100 * estimate['mean']:.1f}"


def row(name: str, summary: dict) -> str:
    """One line of a table."""
    cells = [
        name,
        str(summary["holes"]),
        percent(summary["shown"]),
        percent(summary["exact_match"], True),
        percent(summary["edit_similarity"], True),
        percent(summary["identifier_f1"]),
        percent(summary["parse_rate"]),
        f"{summary['over_generation'] or 0:.2f}",
        *(f"{summary['latency_ms'][p] or 0:.1f}" for p in ("p50", "p95")),
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| | holes | shown % | exact match % | edit similarity % | names % | parse % | length | p50 ms | p95 ms |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def tables(reports: list[Named]) -> str:
    """Each report in all, then by language, then by kind."""
    lines = [HEAD, *(row(each.name, each.report["all"]) for each in reports)]
    for group in ("languages", "kinds"):
        lines += ["", HEAD]
        for key in reports[0].report[group]:
            lines += [row(f"{key}, {each.name}", each.report[group][key]) for each in reports]
    return "\n".join(lines)


def text(x: float, y: float, content: str, anchor: str = "middle") -> str:
    """A label."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def picture(width: int, height: int, parts: list[str]) -> str:
    """An SVG that reads on light and dark pages."""
    style = 'font-family="sans-serif" font-size="12" fill="#222"'
    body = "\n".join(parts)
    frame = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{frame}\n{body}\n</svg>\n'


def bars(reports: list[Named]) -> str:
    """Figures in all as groups of bars, with their 95 % intervals."""
    left, top, tall, wide = 40, 40, 220, 24
    group = max(110, wide * len(reports) + 36)
    parts, x = [], left + (group - wide * len(reports)) / 2
    for percent_line in range(0, 101, 25):
        y = top + tall - tall * percent_line / 100
        parts.append(f'<path d="M{left} {y:.1f}H{left + group * len(FIGURES)}" stroke="#ddd"/>')
        parts.append(text(left - 6, y + 4, str(percent_line), "end"))
    for figure, label in FIGURES.items():
        for number, each in enumerate(reports):
            found = each.report["all"][figure]
            if found is None:
                continue
            at, mean = x + number * wide, tall * found["mean"]
            parts.append(
                f'<rect x="{at}" y="{top + tall - mean:.1f}" width="{wide - 4}" height="{mean:.1f}"'
                f' fill="{COLOURS[number % len(COLOURS)]}"/>'
            )
            low, high = (top + tall - tall * found[key] for key in ("low", "high"))
            parts.append(f'<path d="M{at + wide / 2 - 2:.1f} {low:.1f}V{high:.1f}" stroke="#222"/>')
            parts.append(text(at + wide / 2 - 2, high - 4, f"{100 * found['mean']:.0f}"))
        parts.append(text(x + wide * len(reports) / 2 - 2, top + tall + 18, label))
        x += group
    at = left
    for number, each in enumerate(reports):
        parts.append(f'<rect x="{at}" y="12" width="12" height="12" fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(text(at + 18, 22, each.name, "start"))
        at += 34 + 7 * len(each.name)
    return picture(max(left + group * len(FIGURES) + 10, at), top + tall + 32, parts)


def curve(log: list[dict]) -> str:
    """Training loss, smoothed a little, and valid loss over the tokens seen."""
    trained = [(row["tokens"], row["loss"]) for row in log if "loss" in row]
    checked = [(row["tokens"], row["valid_loss"]) for row in log if "valid_loss" in row]
    left, top, wide, tall = 50, 30, 520, 220
    most = max(tokens for tokens, _ in trained + checked)
    values = [value for _, value in trained + checked]
    low, high = min(values) - 0.05, max(values) + 0.05

    def place(tokens: float, value: float) -> tuple[float, float]:
        return left + wide * tokens / most, top + tall * (high - value) / (high - low)

    parts = []
    for step in range(5):
        value = low + (high - low) * step / 4
        _, y = place(0, value)
        parts.append(f'<path d="M{left} {y:.1f}H{left + wide}" stroke="#ddd"/>')
        parts.append(text(left - 6, y + 4, f"{value:.2f}", "end"))
        x, _ = place(most * step / 4, low)
        parts.append(text(x, top + tall + 18, f"{most * step / 4 / 1e6:.2f}"))
    for points, colour, radius in ((trained, COLOURS[0], 0), (checked, COLOURS[2], 3)):
        places = [place(*point) for point in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if radius:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"/>' for x, y in places]
    parts.append(text(left + wide / 2, top + tall + 34, "million tokens"))
    parts.append(text(left, 18, "loss in nats a token: training (grey), valid packages (blue)", "start"))
    return picture(left + wide + 20, top + tall + 44, parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--report", type=named, action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--bars", type=Path, help="picture of the reports")
    parser.add_argument("--log", type=Path, help="train.jsonl")
    parser.add_argument("--curve", type=Path, help="picture of the log")
    args = parser.parse_args()
    if args.report:
        print(tables(args.report))
        if args.bars:
            args.bars.write_text(bars(args.report))
    if args.log and args.curve:
        args.curve.write_text(curve([json.loads(line) for line in args.log.read_text().splitlines()]))


if __name__ == "__main__":
    main()
