"""Writes MODEL_CARD.md from the numbers of a run."""

from __future__ import annotations

import textwrap
from collections import Counter

from corpus import LANGUAGE_WEIGHTS

ECOSYSTEMS = {
    "rust": "Rust crates",
    "python": "Python wheels",
    "npm": "npm packages",
    "go": "Debian packages of Go libraries",
    "debian": "Debian source packages in C, C++, Java, Lua and Go",
}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines)


def corpus_table(data: dict) -> str:
    """Kept bytes by language and split."""
    splits = ("train", "valid", "test")
    languages = sorted(
        {key.partition("/")[2] for key in data["bytes"]}, key=lambda k: -data["bytes"].get(f"train/{k}", 0)
    )
    rows = [[k, *(f"{data['bytes'].get(f'{s}/{k}', 0) / 1e6:.1f}" for s in splits)] for k in languages]
    return table(["language", "train MB", "valid MB", "test MB"], rows)


def results(numbers: dict | None) -> str:
    """What evaluate.py measured."""
    if numbers is None:
        return "Not measured yet."
    rows = [
        [row["language"], row["kind"], str(row["holes"]), f"{100 * row['exact']:.1f}", f"{100 * row['similarity']:.1f}"]
        for row in numbers["rows"]
    ]
    text = table(["language", "hole", "holes", "exact match %", "edit similarity %"], rows)
    return (
        f"Loss on {numbers['loss_tokens']:,} tokens of the test packages: {numbers['loss']:.3f} nats a token"
        f" ({numbers['bits_per_byte']:.2f} bits a byte).\n\n"
        f"Greedy decoding from serving prompts (at most 480 tokens before the hole, 160 behind it):\n\n{text}"
    )


def card(name: str, parameters: int, position: dict, data: dict, numbers: dict | None) -> str:
    """The whole card."""
    tested = [f"`{row['name']}`" for row in data["packages"] if row["split"] == "test"]
    kinds = Counter(row["ecosystem"] for row in data["packages"] if row["split"] == "train")
    sources = ", ".join(f"{kinds[kind]} {label}" for kind, label in ECOSYSTEMS.items())
    never = textwrap.fill(f"Never trained on: {', '.join(tested)}.", 120, break_on_hyphens=False)
    shares = ", ".join(f"{name} {share}" for name, share in LANGUAGE_WEIGHTS.items())
    weights = textwrap.fill(f"The sampling weights are {shares}.", 120)
    minutes = position["seconds"] / 60
    return f"""# {name}

A very small code completion model: a Parallel Loop Transformer with {parameters / 1e6:.2f} M parameters, 4 layers that
run twice, width 256, a vocabulary of 8,192 byte-level tokens and a context of 768 tokens. It was trained from scratch
on two shared CPU cores: {minutes:.0f} minutes, {position["tokens"] / 1e6:.1f} M tokens, {position["step"]:,} steps.
The loss was still falling when the time was up.

It exists so that Dacapo completes something out of the box, offline and on any machine, and so that every part of the
engine can be tested on real trained weights. It is **not** comparable to the large models of the same architecture: it
knows common idioms, brackets, indentation and names that stand nearby, and nothing about libraries, types or intent.
Expect it to finish a line now and then, and to be wrong often.

## Prompt

    <|file_sep|>{{path}}
    <|fim_suffix|>{{suffix}}<|fim_prefix|>{{prefix}}<|fim_middle|>

The model then writes the middle and `<|endoftext|>`. The header line ends in a newline; header, suffix, prefix and
middle are tokenised each on its own. The prefix starts at a line start and the suffix stops at a line end. Prefix-first
order (`<|fim_prefix|>` before `<|fim_suffix|>`) and plain text were seen in training too, but less often.

## Data

Source files of {sources} (training split),
all with permissive licences by their own metadata (MIT, Apache-2.0, BSD, ISC, Zlib, public domain and the like).
`data.json` lists every package with its version, licence, split and kept bytes. Generated, minified, vendored
and huge files, files with secret-looking strings, and files that share
most of their lines with another one were dropped. {weights} Training saw only a part of what is listed.

{corpus_table(data)}

{never}

## Results

On the test packages alone. With so few holes a row is a rough number, and many of the exact matches are closing
brackets, short keywords or licence text.

{results(numbers)}

Asked as an editor asks, and beside a baseline of n-grams: docs/evaluation.md. `evaluation` holds 300 of those holes and
what the model makes of them.

## Weak points

It repeats itself in long outputs, invents names, and knows little of any language beyond the ones above. It can
reproduce short idioms of its training data. Code it writes is a guess: read it before you keep it.

Licence: Apache-2.0.
"""
