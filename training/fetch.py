"""Downloads the packages of manifest.toml through the registries' own clients: cargo, pip, npm and apt-get."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packages import Package, read_manifest


def run(*command: str | Path, cwd: Path) -> bool:
    """True where a command succeeded; its complaint is shown otherwise."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        print(" ".join(map(str, command)), done.stderr.strip()[-500:], sep="\n", file=sys.stderr)
    return done.returncode == 0


def fetch_crates(raw: Path, packages: list[Package]) -> None:
    """Vendors the crates, and the dependencies that cargo brings along; only the named ones are read later."""
    folder = raw / "rust"
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "lib.rs").touch()
    head = '[package]\nname = "corpus"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n[dependencies]\n'
    rows = (f'{p.name} = {{ version = "={p.version}", default-features = false }}\n' for p in packages)
    (folder / "Cargo.toml").write_text(head + "".join(rows))
    run("cargo", "vendor", "--versioned-dirs", "vendor", cwd=folder)


def fetch_wheels(raw: Path, packages: list[Package]) -> None:
    """Wheels only: a source distribution would run its own build steps."""
    folder = raw / "python"
    folder.mkdir(parents=True, exist_ok=True)
    pip = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", ".")
    for package in packages:
        run(*pip, f"{package.name}=={package.version}", cwd=folder)


def fetch_npm(raw: Path, packages: list[Package]) -> None:
    """Tarballs as published; nothing is installed and no script runs."""
    folder = raw / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    for package in packages:
        run("npm", "pack", "-s", f"{package.name}@{package.version}", cwd=folder)


def apt_options(folder: Path) -> list[str]:
    """A package list of its own that has sources too, on the mirror that the system uses already."""
    system = Path("/etc/apt/sources.list.d/debian.sources").read_text().split("\n")
    mirror = next(line.split()[1] for line in system if line.startswith("URIs:"))
    key = "/usr/share/keyrings/debian-archive-keyring.gpg"
    lines = f"Types: deb deb-src\nURIs: {mirror}\nSuites: bookworm\nComponents: main\nSigned-By: {key}\n"
    for part in ("dl", "apt/lists/partial", "apt/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    sources = folder / "apt" / "debian.sources"
    sources.write_text(lines)
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "apt" / "lists",
        "Dir::Cache": folder / "apt",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def fetch_debian(raw: Path, libraries: list[Package], sources: list[Package]) -> None:
    """Go libraries as binary packages, which carry their sources, and C programs as source packages."""
    folder = (raw / "debian").resolve()
    apt = ("apt-get", *apt_options(folder), "-q")
    run(*apt, "update", cwd=folder)
    for package in libraries:
        run(*apt, "download", f"{package.name}={package.version}", cwd=folder / "dl")
    for package in sources:
        run(*apt, "source", "--download-only", f"{package.name}={package.version}", cwd=folder / "dl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--manifest", type=Path, default=Path(__file__).with_name("manifest.toml"))
    args = parser.parse_args()
    raw, kinds = args.work / "raw", defaultdict[str, list[Package]](list)
    for package in read_manifest(args.manifest):
        kinds[package.ecosystem].append(package)
    # Most of the time goes into waiting for answers.
    with ThreadPoolExecutor() as pool:
        waiting = [
            pool.submit(fetch_crates, raw, kinds["rust"]),
            pool.submit(fetch_debian, raw, kinds["go"], kinds["debian"]),
            *(pool.submit(fetch_wheels, raw, kinds["python"][turn::3]) for turn in range(3)),
            *(pool.submit(fetch_npm, raw, kinds["npm"][turn::3]) for turn in range(3)),
        ]
    for each in waiting:
        each.result()


if __name__ == "__main__":
    main()
