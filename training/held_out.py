"""Unpacks the packages of a split into folders of their own, for `dacapo eval cut`: what training would have kept."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from corpus import LANGUAGES, refusal
from licences import is_permissive
from packages import OPENERS, Package, read_manifest

# Compiled copies of what stands in `src` would give answers away.
COMPILED = {"msw": "lib", "@tanstack/virtual-core": "dist"}


def folder_of(package: Package) -> str:
    """What the manifest check of `dacapo eval cut` takes for the package's name."""
    return package.name.removeprefix("@").replace("/", "-")


def unpack(raw: Path, package: Package, out: Path) -> int:
    """Writes the files of a package; returns how many."""
    source = OPENERS[package.ecosystem](raw, package)
    if not is_permissive(source.licence):
        return 0
    compiled, written = COMPILED.get(package.name), 0
    for path, text in source.files:
        known = LANGUAGES.get(path.rpartition(".")[2])
        outside = path.startswith("/") or re.search(r"(^|/)\.\.(/|$)", path)
        if known is None or outside or path.split("/")[0] == compiled or refusal(path, text):
            continue
        target = out / folder_of(package) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        written += 1
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--manifest", type=Path, default=Path(__file__).with_name("manifest.toml"))
    parser.add_argument("--out", type=Path, default=Path("held-out"))
    parser.add_argument("--split", choices=["test", "valid"], default="test", help="valid, to tune on")
    args = parser.parse_args()
    for package in read_manifest(args.manifest):
        if package.split != args.split:
            continue
        try:
            print(f"{package.name}: {unpack(args.work / 'raw', package, args.out)} files")
        except (FileNotFoundError, StopIteration):
            print(f"{package.name}: not downloaded")


if __name__ == "__main__":
    main()
