"""Trains the byte-level BPE tokenizer on a sample of the training split and writes tokenizer.json."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import LANGUAGE_WEIGHTS, Corpus

VOCAB_SIZE = 16384

# Their order fixes their ids: 0, 1, 2, ...
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
)

# A newline takes the indentation of the next line with it, so that code at the start of a line has no leading space;
# digits stand alone; snake_case falls apart before each underscore; other runs of spaces stay whole.
PIECES = (
    r"(?:\r?\n)+[ \t]*"
    r"|[ _]?\p{L}[\p{L}\p{M}]*"
    r"| ?\p{N}"
    r"| ?[^\s\p{L}\p{N}]+"
    r"|\s+(?!\S)"
    r"|\s+"
)


def new_tokenizer() -> Tokenizer:
    """An untrained tokenizer with the right pre-tokenizer and decoder."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def sample(corpus: Corpus, total_bytes: int) -> Iterator[str]:
    """Files of every language in proportion to its training weight, at most 20 kB of each."""
    whole = sum(LANGUAGE_WEIGHTS.values())
    for language, weight in LANGUAGE_WEIGHTS.items():
        left = total_bytes * weight / whole
        for document in corpus.documents(language):
            if left <= 0:
                break
            text = document.text[:20_000]
            left -= len(text)
            yield text


def train(corpus: Corpus, total_bytes: int) -> Tokenizer:
    """Learns the merges."""
    tokenizer = new_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=32,
        show_progress=False,
    )
    tokenizer.train_from_iterator(sample(corpus, total_bytes), trainer)
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--sample-mb", type=float, default=24)
    args = parser.parse_args()
    corpus = Corpus.load(args.work, "train")
    tokenizer = train(corpus, int(args.sample_mb * 1e6))
    tokenizer.save(str(args.work / "tokenizer.json"))
    checked = letters = tokens = 0
    for text in sample(corpus, 2_000_000):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        if tokenizer.decode(ids, skip_special_tokens=False) != text:
            raise SystemExit("the tokenizer does not round-trip")
        checked, letters, tokens = checked + 1, letters + len(text), tokens + len(ids)
    print(f"{tokenizer.get_vocab_size()} tokens; {checked} files round-trip; {letters / tokens:.2f} characters a token")


if __name__ == "__main__":
    main()
