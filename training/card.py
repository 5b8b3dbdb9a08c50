"""Writes MODEL_CARD.md from the numbers of a run."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass, field

from corpus import LANGUAGE_WEIGHTS
from plt import PltConfig

ECOSYSTEMS = {
    "rust": "Rust crates",
    "python": "Python wheels",
    "npm": "npm packages",
    "go": "Debian packages of Go libraries",
    "debian": "Debian source packages in C, C++, Java, Lua and Go",
}


@dataclass(frozen=True)
class Training:
    """How a run went."""

    position: dict
    # What `inherit.py` says of where the weights come from; None where they were drawn at random.
    origin: dict | None = None
    device: str = "CPU"
    # Lines that `race.py` wrote.
    race: list[dict] = field(default_factory=list)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines)


def filled(text: str) -> str:
    """Lines of 120 characters."""
    return textwrap.fill(text, 120, break_on_hyphens=False, break_long_words=False)


def corpus_table(data: dict) -> str:
    """Kept bytes by language and split."""
    splits = ("train", "valid", "test")
    languages = sorted(
        {key.partition("/")[2] for key in data["bytes"]}, key=lambda k: -data["bytes"].get(f"train/{k}", 0)
    )
    rows = [[k, *(f"{data['bytes'].get(f'{s}/{k}', 0) / 1e6:.1f}" for s in splits)] for k in languages]
    return table(["language", "train MB", "valid MB", "test MB"], rows)


def corpus_text(data: dict) -> str:
    """Where the files come from and which stayed out."""
    kinds = Counter(row["ecosystem"] for row in data["packages"] if row["split"] == "train")
    sources = ", ".join(f"{kinds[kind]} {label}" for kind, label in ECOSYSTEMS.items())
    shares = ", ".join(f"{name} {share}" for name, share in LANGUAGE_WEIGHTS.items())
    return filled(
        f"Source files of {sources} (training split), all with permissive licences by their own metadata (MIT,"
        " Apache-2.0, BSD, ISC, Zlib, public domain and the like). `data.json` lists every package with its version,"
        " licence, split and kept bytes. Generated, minified, vendored and huge files, files with secret-looking"
        " strings, and files that share most of their lines with another one were dropped. The sampling weights are"
        f" {shares}. Training saw only a part of what is listed."
    )


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


def sizes(cfg: PltConfig, parameters: int) -> str:
    """What the model is."""
    return filled(
        f"A small code completion model: a Parallel Loop Transformer with {parameters / 1e6:.2f} M parameters,"
        f" {cfg.num_hidden_layers} layers that run {cfg.plt_num_loops} times, width {cfg.hidden_size}, a vocabulary of"
        f" {cfg.vocab_size:,} byte-level tokens and a context of {cfg.max_position_embeddings:,} tokens."
    )


def course(training: Training) -> str:
    """Where the weights come from and how long they were trained."""
    position, origin = training.position, training.origin
    begun = "It was trained from scratch"
    if origin:
        layers = ", ".join(str(layer) for layer in origin["layers"])
        begun = (
            f"It began with weights of {origin['name']} ({origin['licence']}, {origin['source']}): its layers {layers},"
            " and for each of our tokens the mean of its tokens that spell it. All were trained further"
        )
    return filled(
        f"{begun} on one {training.device}: {position['seconds'] / 60:.0f} minutes, {position['tokens'] / 1e6:.1f} M"
        f" tokens, {position['step']:,} steps. The loss was still falling when the time was up."
    )


def race_table(race: list[dict]) -> str:
    """How the start was chosen."""
    rows = [
        [row["start"], f"{row['matrix_lr']:g}, {row['lr']:g}", f"{row['tokens'] / 1e6:.1f} M", f"{row['loss']:.3f}"]
        for row in race
    ]
    return (
        "The start was chosen by a race over the first steps, with the same rows for all:\n\n"
        + table(["start", "rates of matrices, of the rest", "tokens", "loss at their end"], rows)
        + "\n\n"
    )


def card(name: str, model: tuple[PltConfig, int], training: Training, data: dict, numbers: dict | None) -> str:
    """The whole card of a model of so many parameters."""
    tested = [f"`{row['name']}`" for row in data["packages"] if row["split"] == "test"]
    never = filled(f"Never trained on: {', '.join(tested)}.")
    origin = training.origin
    notice = f" It is derived from {origin['name']}, {origin['licence']}." if origin else ""
    return f"""# {name}

{sizes(*model)}

{course(training)}

It exists so that Dacapo completes something out of the box, offline and on any machine, and so that every part of the
engine can be tested on real trained weights. It is **not** comparable to the large models of the same architecture: it
knows common idioms, brackets, indentation and names that stand nearby, and little about libraries, types or intent.
Expect it to finish a line now and then, and to be wrong often.

## Prompt

    <|file_sep|>{{path of another file}}
    {{text of it}}
    <|file_sep|>{{path}}
    <|fim_suffix|>{{suffix}}<|fim_prefix|>{{prefix}}<|fim_middle|>

The model then writes the middle and `<|endoftext|>`. Each header line ends in a newline; headers with text of other
files, suffix, prefix and middle are tokenised each on its own. Most prompts show no other file, some show several. The
prefix starts at a line start and the suffix stops at a line end. Prefix-first order (`<|fim_prefix|>` before
`<|fim_suffix|>`) and plain text were seen in training too, but less often.

## Data

{corpus_text(data)}

{corpus_table(data)}

{never}

## Training

{race_table(training.race) if training.race else ""}`training/README.md` has the commands, `training.jsonl` the log.

## Results

On the test packages alone. With so few holes a row is a rough number, and many of the exact matches are closing
brackets, short keywords or licence text.

{results(numbers)}

Asked as an editor asks, and beside a baseline of n-grams: docs/evaluation.md. `evaluation` holds 300 of those holes and
what the model makes of them.

## Weak points

It repeats itself in long outputs, invents names, and knows little of any language beyond the ones above. It can
reproduce short idioms of its training data. Code it writes is a guess: read it before you keep it.

Licence: Apache-2.0.{notice}
"""
