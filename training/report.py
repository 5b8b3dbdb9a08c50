"""The report beside the committed holes, from the answers that `dacapo eval --answers` wrote for them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

COUNTS = (100, 300)


def mean(values: list[float]) -> float:
    """Four digits are more than the test compares."""
    return round(sum(values) / len(values), 4)


def figures(answers: list[dict]) -> dict[str, float]:
    """Shares from 0 to 1, counted as `dacapo eval` does: parse rate over what was shown, names where there are some."""
    shown = [row for row in answers if row["answer"] is not None]
    return {
        "shown": mean([row["answer"] is not None for row in answers]),
        "exact_match": mean([row["exact"] for row in answers]),
        "edit_similarity": mean([row["edit_similarity"] for row in answers]),
        "identifier_f1": mean([row["identifier_f1"] for row in answers if row["identifier_f1"] is not None]),
        "parse_rate": mean([row["parses"] for row in shown]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("models/default/evaluation/report.json"))
    args = parser.parse_args()
    answers = [json.loads(line) for line in args.answers.read_text().splitlines()]
    report = {
        "command": "dacapo eval --holes models/default/evaluation/holes.jsonl --context off --answers ANSWERS",
        "first": {str(count): figures(answers[:count]) for count in COUNTS},
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report["first"], indent=1))


if __name__ == "__main__":
    main()
