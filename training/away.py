"""Training on a machine that reaches nothing: parts of the corpus go there, pieces of the trained model come back."""

from __future__ import annotations

import argparse
import io
import lzma
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

CORPUS = ("corpus.train.jsonl", "corpus.valid.jsonl", "data.json", "tokenizer.json")
# What a checkpoint holds that a model folder is made of.
KEPT = ("config", "position", "origin", "device")


def pack(work: Path, start: str, out: Path, part_mb: float) -> None:
    """Corpus, tokenizer and the start in bf16 as `part.000` and so on, of at most so many MB."""
    out.mkdir(parents=True, exist_ok=True)
    rounded = out / start
    shutil.copytree(work / start, rounded, dirs_exist_ok=True)
    weights = load_file(work / start / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in weights.items()}, rounded / "model.safetensors")
    with subprocess.Popen(["xz", "-T0", "-6"], stdin=subprocess.PIPE, stdout=(out / "whole").open("wb")) as xz:
        with tarfile.open(fileobj=xz.stdin, mode="w|") as tar:
            for name in CORPUS:
                tar.add(work / name, name)
            tar.add(rounded, start)
        xz.stdin.close()
    shutil.rmtree(rounded)
    split(out / "whole", out, "part", part_mb)


def unpack(parts: Path, work: Path) -> None:
    """The other way round."""
    work.mkdir(parents=True, exist_ok=True)
    with lzma.open(Joined(sorted(parts.glob("part.*")))) as file, tarfile.open(fileobj=file, mode="r|") as tar:
        tar.extractall(work, filter="data")


def slim(work: Path, out: Path, piece_mb: float) -> None:
    """The last checkpoint without the optimiser, in bf16, and the log, as `piece.000` and so on."""
    state = torch.load(work / "checkpoint.pt", weights_only=True, map_location="cpu")
    # The upper bytes are nearly all alike and shrink to half, the lower ones are noise.
    planes = {
        name: torch.from_numpy(tensor.bfloat16().view(torch.uint8).numpy().reshape(-1, 2).T.copy())
        for name, tensor in state["model"].items()
    }
    shapes = {name: list(tensor.shape) for name, tensor in state["model"].items()}
    found = {key: state.get(key) for key in KEPT}
    file = io.BytesIO()
    torch.save({**found, "planes": planes, "shapes": shapes, "log": (work / "train.jsonl").read_text()}, file)
    out.mkdir(parents=True, exist_ok=True)
    (out / "whole").write_bytes(lzma.compress(file.getvalue(), preset=0))
    split(out / "whole", out, "piece", piece_mb)


def take(pieces: Path, work: Path) -> None:
    """Checkpoint and log in the work folder, as if the model had been trained here; it cannot be trained on."""
    with lzma.open(Joined(sorted(pieces.glob("piece.*")))) as file:
        state = torch.load(io.BytesIO(file.read()), weights_only=True)
    shapes = state.pop("shapes")
    state["model"] = {
        name: torch.from_numpy(planes.numpy().T.reshape(-1)).view(torch.bfloat16).reshape(shapes[name])
        for name, planes in state.pop("planes").items()
    }
    (work / "train.jsonl").write_text(state.pop("log"))
    torch.save(state, work / "checkpoint.pt")


def split(whole: Path, out: Path, name: str, most_mb: float) -> None:
    """Replaces a file by pieces of at most so many MB."""
    size = int(most_mb * 1e6)
    with whole.open("rb") as file:
        for number, piece in enumerate(iter(lambda: file.read(size), b"")):
            path = out / f"{name}.{number:03}"
            path.write_bytes(piece)
            print(f"{path} {len(piece) / 1e6:.1f} MB")
    whole.unlink()


class Joined(io.RawIOBase):
    """Files read as if they were one."""

    def __init__(self, paths: list[Path]) -> None:
        if not paths:
            raise FileNotFoundError("no parts")
        self.left = [path.open("rb") for path in paths]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        while self.left:
            if size := self.left[0].readinto(buffer):
                return size
            self.left.pop(0).close()
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=["pack", "train", "take"])
    parser.add_argument("folder", type=Path, help="of the parts, or of the pieces for `take`")
    parser.add_argument("--work", type=Path, default=Path("target/training"))
    parser.add_argument("--start", default="first", help="folder of the start in the work folder")
    parser.add_argument("--out", type=Path, default=Path("pieces"), help="folder for the pieces")
    parser.add_argument("--part-mb", type=float, default=44)
    parser.add_argument("--piece-mb", type=float, default=15)
    args, others = parser.parse_known_args()
    if args.step == "pack":
        pack(args.work, args.start, args.folder, args.part_mb)
    elif args.step == "train":
        unpack(args.folder, args.work)
        script = Path(__file__).with_name("train.py")
        start = ["--work", str(args.work), "--from", str(args.work / args.start)]
        subprocess.run([sys.executable, str(script), *start, *others], check=True)
        slim(args.work, args.out, args.piece_mb)
    else:
        take(args.folder, args.work)


if __name__ == "__main__":
    main()
