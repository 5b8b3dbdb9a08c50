"""Reads packages as they were downloaded: the manifest, and the licence and files inside each archive."""

from __future__ import annotations

import io
import json
import posixpath
import re
import subprocess
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import licences


@dataclass(frozen=True)
class Package:
    """One row of manifest.toml."""

    ecosystem: str
    name: str
    version: str
    licence: str
    split: str


@dataclass(frozen=True)
class Source:
    """What a package holds: its licence by its own metadata, and its text files as (path, text)."""

    licence: str
    files: Iterator[tuple[str, str]]


def read_manifest(path: Path) -> list[Package]:
    """All packages, in the order of the file."""
    tables = tomllib.loads(path.read_text())
    return [Package(ecosystem=kind, **row) for kind, rows in tables["packages"].items() for row in rows]


def text_of(data: bytes) -> str | None:
    """UTF-8 text with plain newlines, or None for anything else."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.removeprefix("\ufeff").replace("\r\n", "\n")


def open_crate(raw: Path, package: Package) -> Source:
    """A folder below rust/vendor."""
    root = raw / "rust" / "vendor" / f"{package.name}-{package.version}"
    licence = tomllib.loads((root / "Cargo.toml").read_text())["package"].get("license", "")

    def files() -> Iterator[tuple[str, str]]:
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.stat().st_size < 1_000_000 and (text := text_of(path.read_bytes())):
                yield path.relative_to(root).as_posix(), text

    return Source(licence, files())


def open_wheel(raw: Path, package: Package) -> Source:
    """A wheel below python/."""
    stem = re.sub(r"[-_.]+", "_", package.name).lower()
    names = (p for p in (raw / "python").glob(f"*-{package.version}-*.whl"))
    path = next(p for p in names if re.sub(r"[-_.]+", "_", p.name.split("-")[0]).lower() == stem)
    archive = zipfile.ZipFile(path)
    metadata = next(n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))

    def files() -> Iterator[tuple[str, str]]:
        for info in archive.infolist():
            wanted = info.file_size < 1_000_000 and ".dist-info/" not in info.filename and not info.is_dir()
            if wanted and (text := text_of(archive.read(info))):
                yield info.filename, text

    return Source(licences.of_wheel(archive.read(metadata).decode("utf-8", "replace")), files())


def map_sources(text: str) -> Iterator[tuple[str, str]]:
    """The original files that a source map carries."""
    try:
        table = json.loads(text)
        pairs = zip(table["sources"], table["sourcesContent"], strict=True)
    except (ValueError, KeyError, TypeError):
        return
    for name, content in pairs:
        if isinstance(name, str) and isinstance(content, str):
            clean = re.sub(r"^(\w+:/*)?(\.{0,2}/)*", "", posixpath.normpath(name))
            if "node_modules" not in name:
                yield clean, content.replace("\r\n", "\n")


def open_npm(raw: Path, package: Package) -> Source:
    """A tarball below npm/; source maps are opened for the TypeScript inside them."""
    stem = package.name.removeprefix("@").replace("/", "-")
    archive = tarfile.open(raw / "npm" / f"{stem}-{package.version}.tgz")
    members = {m.name.partition("/")[2]: m for m in archive.getmembers() if m.isfile()}

    def data(name: str) -> bytes:
        stream = archive.extractfile(members[name])
        return stream.read() if stream else b""

    def files() -> Iterator[tuple[str, str]]:
        for name, member in members.items():
            if name.endswith(".map") and member.size < 20_000_000:
                yield from map_sources(text_of(data(name)) or "")
            elif member.size < 1_000_000 and (text := text_of(data(name))):
                yield name, text

    return Source(licences.of_npm(json.loads(data("package.json"))), files())


def tar_files(archive: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Plain files of a tar stream below a megabyte."""
    for member in archive:
        if member.isfile() and member.size < 1_000_000 and (stream := archive.extractfile(member)):
            yield member.name.removeprefix("./"), stream.read()


def by_copyright(text: str, pairs: Iterator[tuple[str, bytes]]) -> Source:
    """Keeps the files whose own stanza of debian/copyright is permissive."""
    rules = licences.DebianCopyright(text)

    def files() -> Iterator[tuple[str, str]]:
        for path, data in pairs:
            if licences.is_permissive(rules.of_file(path)) and (content := text_of(data)):
                yield path, content

    return Source(rules.of_package(), files())


def open_deb(raw: Path, package: Package) -> Source:
    """A binary package that carries sources, as Go libraries do."""
    path = next((raw / "debian" / "dl").glob(f"{package.name}_*.deb"))
    dump = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], check=True, capture_output=True).stdout
    archive = tarfile.open(fileobj=io.BytesIO(dump))
    copyright_text, pairs = "", []
    for name, data in tar_files(archive):
        if name.startswith("usr/share/doc/") and name.endswith("/copyright"):
            copyright_text = data.decode("utf-8", "replace")
        short = re.sub(r"^usr/(share|lib)/(gocode/src/[^/]+\.[^/]+/[^/]+/[^/]+|go-[\d.]+)/", "", name)
        if short != name:
            pairs.append((short, data))
    return by_copyright(copyright_text, iter(pairs))


def open_debian_source(raw: Path, package: Package) -> Source:
    """A Debian source package: the upstream tarball, judged by debian/copyright from the packaging tarball."""
    folder = raw / "debian" / "dl"
    packaging = tarfile.open(next(folder.glob(f"{package.name}_*.debian.tar.*")))
    wanted = ("debian/copyright", "./debian/copyright")
    member = next(m for m in packaging.getmembers() if m.name in wanted)
    stream = packaging.extractfile(member)
    text = stream.read().decode("utf-8", "replace") if stream else ""
    upstream = tarfile.open(next(folder.glob(f"{package.name}_*.orig.tar.*[!c]")))
    pairs = ((name.partition("/")[2], data) for name, data in tar_files(upstream))
    return by_copyright(text, pairs)


OPENERS = {
    "rust": open_crate,
    "python": open_wheel,
    "npm": open_npm,
    "go": open_deb,
    "debian": open_debian_source,
}
