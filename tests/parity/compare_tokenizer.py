"""Compares the ids that a built `dacapo` gives to texts with those of the Python package `tokenizers`.

    python compare_tokenizer.py --dacapo PATH --tokenizer FOLDER --text FILE_OR_FOLDER... [--bytes 1000000]

FOLDER holds a `tokenizer.json`. Folders of texts are searched for source files; what is taken of them is the same at
every run. Spellings of special tokens are taken out of the texts: here they never mean the token.
"""

import argparse
import json
import random
import subprocess
import tempfile
from pathlib import Path

from tokenizers import Tokenizer

SUFFIXES = {".c", ".cpp", ".css", ".go", ".h", ".html", ".java", ".js", ".json", ".lua", ".md", ".py", ".rb", ".rs",
            ".sh", ".toml", ".ts", ".tsx", ".yaml", ".yml"}
N_RANDOM = 20_000


def sources(places, n_bytes):
    """A text for each kind of file that there is, of `n_bytes` in all."""
    files = []
    for place in places:
        files += [place] if place.is_file() else sorted(
            path for path in place.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    random.Random(1).shuffle(files)
    texts = {path.suffix: "" for path in files}
    for path in files:
        if len(texts[path.suffix]) < n_bytes / len(texts) and path.stat().st_size < 200_000:
            texts[path.suffix] += path.read_bytes().decode(errors="ignore")
    return texts


def random_text():
    """Characters of all planes, white space in runs, and digits between letters."""
    draw = random.Random(2)
    alphabet = [*map(chr, range(1, 0x3000)), *map(chr, range(0x4E00, 0x5200)), *map(chr, range(0x1F300, 0x1F700))]
    words = [" ", "  ", "\n", "\r\n", "\t", "\n\n    ", "'s", "'LL", "123", "4567", "_", "é", "e\u0301", "世界", "😀"]
    pieces = (draw.choice(words) if draw.random() < 0.4 else draw.choice(alphabet) for _ in range(N_RANDOM))
    return "".join(pieces)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dacapo", required=True)
    parser.add_argument("--tokenizer", required=True, type=Path)
    parser.add_argument("--text", required=True, type=Path, nargs="+")
    parser.add_argument("--bytes", type=int, default=1_000_000)
    options = parser.parse_args()
    reference = Tokenizer.from_file(str(options.tokenizer / "tokenizer.json"))
    specials = [token.content for token in reference.get_added_tokens_decoder().values()]
    n_bytes, n_tokens, n_different = 0, 0, 0
    texts = sources(options.text, options.bytes) | {"random": random_text()}
    for name, text in texts.items():
        # Again until there is none: what stood around one may be another.
        while any(special in text for special in specials):
            for special in specials:
                text = text.replace(special, "")
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            arguments = [options.dacapo, "model", "tokens", options.tokenizer, file.name, "--json"]
            output = subprocess.run(list(map(str, arguments)), check=True, capture_output=True).stdout
        ours = json.loads(output)["tokens"]
        theirs = reference.encode(text, add_special_tokens=False).ids
        n_bytes += len(text.encode())
        n_tokens += len(theirs)
        if ours != theirs:
            n_different += 1
            first = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), -1)
            print(f"DIFFERENT {name}: at token {first}, {ours[first:first + 6]} and {theirs[first:first + 6]}")
    print(f"{n_bytes} bytes of {', '.join(texts)}, {n_tokens} tokens: {n_different} of {len(texts)} texts differ")
    raise SystemExit(n_different != 0 or n_bytes == 0)


if __name__ == "__main__":
    main()
