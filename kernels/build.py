"""Compiles the kernels by NVRTC for every target and packs them into the image that the binary embeds.

`cargo xtask kernels` calls it with the compiler's library; neither a GPU nor a driver is needed.
An image is a list of parts in lines, an empty line, and the parts one after the other, each deflated:
the sources, for a compiler on the user's machine, and for each target a cubin or PTX of each source.
"""

import argparse
import ctypes
import hashlib
import multiprocessing
import re
import sys
import tomllib
import zlib
from dataclasses import dataclass
from pathlib import Path

# Machine code for each family of GPUs since Ampere, and PTX, which a driver compiles for GPUs that are younger than these.
TARGETS = ["sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "compute_80"]
OPTIONS = ["--std=c++17"]
# Bytes that a thread of a kernel may spill, stores and loads together.
# All of these are on Blackwell alone, sm_100 and sm_120; what they cost there is not measured.
MAY_SPILL = {
    "skinny_bf16_16": 8,
    "skinny_int4": 20,
    "skinny_int8_16": 28,
    "skinny_swiglu_bf16_16": 24,
    "skinny_swiglu_int4": 48,
    "skinny_swiglu_int8_16": 32,
    "tile_int8": 8,
}

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Task:
    library: Path
    source: Path
    target: str
    work: Path

    @property
    def name(self) -> str:
        return f"{self.source.stem}.{self.target}"


class Nvrtc:
    def __init__(self, library: Path):
        self.library = ctypes.CDLL(str(library))
        self.library.nvrtcGetErrorString.restype = ctypes.c_char_p

    def call(self, name: str, *arguments) -> None:
        code = getattr(self.library, name)(*arguments)
        if code != 0:
            raise RuntimeError(f"{name}: {self.library.nvrtcGetErrorString(code).decode()}")

    def version(self) -> str:
        major, minor = ctypes.c_int(), ctypes.c_int()
        self.call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def read(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self.call(f"nvrtcGet{what}Size", program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self.call(f"nvrtcGet{what}", program, buffer)
        return buffer.raw

    def compile(self, source: Path, target: str) -> tuple[bytes, str]:
        """The cubin, or the PTX of a virtual target, and what the compiler said."""
        is_real = target.startswith("sm_")
        options = [*OPTIONS, f"--gpu-architecture={target}", f"--include-path={source.parent}"]
        if is_real:
            options.append("--ptxas-options=-v")
        words = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
        program = ctypes.c_void_p()
        text, name = source.read_bytes(), source.name.encode()
        self.call("nvrtcCreateProgram", ctypes.byref(program), text, name, 0, None, None)
        try:
            self.call("nvrtcCompileProgram", program, len(options), words)
        except RuntimeError as error:
            log = self.read(program, "ProgramLog").rstrip(b"\0").decode()
            raise RuntimeError(f"{source.name} for {target}: {error}\n{log}") from error
        log = self.read(program, "ProgramLog").rstrip(b"\0").decode()
        image = self.read(program, "CUBIN" if is_real else "PTX")
        self.call("nvrtcDestroyProgram", ctypes.byref(program))
        return image, log


def sources() -> list[Path]:
    return sorted(HERE.glob("*.cu"))


def files() -> list[Path]:
    """Everything that machine code depends on."""
    return sorted([*sources(), *HERE.glob("*.cuh")])


def hash_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def key(task: Task) -> str:
    """What a compiled part depends on; any header may be included by any source."""
    parts = [task.target, task.library.name, *OPTIONS]
    for file in [task.source, *HERE.glob("*.cuh")]:
        parts += [file.name, hash_of(file.read_bytes())]
    return hash_of("\n".join([*parts[:2], *sorted(parts[2:])]).encode())


def run(task: Task) -> str | None:
    """Compiles one source for one target unless that has been done; says what went wrong."""
    image, log, stamp = (task.work / f"{task.name}.{part}" for part in ("image", "log", "key"))
    wanted = key(task)
    if stamp.exists() and stamp.read_text() == wanted:
        return None
    try:
        data, said = Nvrtc(task.library).compile(task.source, task.target)
    except RuntimeError as error:
        return str(error)
    image.write_bytes(data)
    log.write_text(said)
    stamp.write_text(wanted)
    return None


@dataclass
class Usage:
    kernel: str
    target: str
    registers: int = 0
    spilled: int = 0
    stack: int = 0
    shared: int = 0


def usages(log: str) -> list[Usage]:
    found: list[Usage] = []
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            found.append(Usage(match[1], match[2]))
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            found[-1].stack, found[-1].spilled = int(match[1]), int(match[2]) + int(match[3])
        elif match := re.search(r"Used (\d+) registers", line):
            found[-1].registers = int(match[1])
            shared = re.search(r"(\d+) bytes smem", line)
            found[-1].shared = int(shared[1]) if shared else 0
    return found


def spilling(found: list[Usage]) -> list[str]:
    return sorted({usage.kernel for usage in found if MAY_SPILL.get(usage.kernel, 0) < usage.spilled})


def report(found: list[Usage]) -> None:
    """Registers of each kernel on each target; spilled bytes and stack behind them where there are some."""
    real = [target for target in TARGETS if target.startswith("sm_")]
    print(f"{'registers':32}" + "".join(f"{target:>14}" for target in real) + f"{'shared':>10}")
    for kernel in sorted({usage.kernel for usage in found}):
        own = {usage.target: usage for usage in found if usage.kernel == kernel}
        cells = []
        for target in real:
            usage = own[target]
            extra = f" spill {usage.spilled}" if usage.spilled else f" stack {usage.stack}" if usage.stack else ""
            cells.append(f"{usage.registers}{extra}".rjust(14))
        shared = max(usage.shared for usage in own.values())
        print(f"{kernel:32}" + "".join(cells) + f"{shared:10}")


def pack(parts: dict[str, bytes]) -> bytes:
    deflated = {name: zlib.compress(data, 9) for name, data in parts.items()}
    lines, offset = [], 0
    for name, data in deflated.items():
        lines.append(f"{name} {offset} {len(data)} {len(parts[name])}\n")
        offset += len(data)
    return "".join([*lines, "\n"]).encode() + b"".join(deflated.values())


def quoted(words: list[str]) -> str:
    return "".join(f'    "{word}",\n' for word in words)


def table(hashes: dict[str, str]) -> str:
    return "".join(f'"{name}" = "{digest}"\n' for name, digest in hashes.items())


def manifest(compiler: str, kernels: list[str], compiled: dict[str, bytes], image: bytes) -> str:
    hashes = {file.name: hash_of(file.read_bytes()) for file in files()}
    return (
        f'# Made by `cargo xtask kernels`.\ncompiler = "NVRTC {compiler}"\nimage = "{hash_of(image)}"\n'
        f"targets = [\n{quoted(TARGETS)}]\nkernels = [\n{quoted(kernels)}]\n\n"
        f"[sources]\n{table(hashes)}\n"
        f"[parts]\n{table({name: hash_of(data) for name, data in compiled.items()})}"
    )


def differences(old: dict, new: dict) -> list[str]:
    problems = [f"{name} differs" for name in ("compiler", "targets", "kernels") if old.get(name) != new.get(name)]
    for table in ("sources", "parts"):
        names = sorted({*old.get(table, {}), *new[table]})
        problems += [f"{name} differs" for name in names if old.get(table, {}).get(name) != new[table].get(name)]
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True, help="NVRTC's library")
    parser.add_argument("--work", type=Path, required=True, help="a folder for compiled parts, which are kept")
    parser.add_argument("--compare", action="store_true", help="write nothing, and fail if prebuilt/ differs")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    tasks = [Task(arguments.library, source, target, arguments.work) for source in sources() for target in TARGETS]
    with multiprocessing.Pool() as pool:
        problems = [problem for problem in pool.imap(run, tasks, chunksize=1) if problem]
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 1

    logs = [(arguments.work / f"{task.name}.log").read_text() for task in tasks]
    found = [usage for log in logs for usage in usages(log)]
    report(found)
    compiled = {task.name: (arguments.work / f"{task.name}.image").read_bytes() for task in tasks}
    image = pack({f"source/{file.name}": file.read_bytes() for file in files()} | compiled)
    kernels = sorted({usage.kernel for usage in found})
    text = manifest(Nvrtc(arguments.library).version(), kernels, compiled, image)
    prebuilt = HERE / "prebuilt"
    problems = [f"{kernel} spills more registers than `MAY_SPILL` allows" for kernel in spilling(found)]
    if arguments.compare:
        committed = (prebuilt / "manifest.toml").read_text()
        stale = differences(tomllib.loads(committed), tomllib.loads(text))
        problems += [f"{problem}: run `cargo xtask kernels`, and commit kernels/prebuilt" for problem in stale]
    else:
        prebuilt.mkdir(exist_ok=True)
        (prebuilt / "dacapo.image").write_bytes(image)
        (prebuilt / "manifest.toml").write_text(text)
    print(f"{len(kernels)} kernels of {len(sources())} sources for {len(TARGETS)} targets: {len(image)} bytes")
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
