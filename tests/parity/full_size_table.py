"""Time and memory of a checkpoint of random weights: opened, rounded to 4 bits, and run with one loop and with two."""

import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

VOCAB = 50000
POLL_S = 0.05


def watched(*command: object) -> tuple[str, float, int, int]:
    """What the command printed, its seconds, and the most resident and anonymous bytes that it had."""
    started = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    most = {"VmRSS": 0, "RssAnon": 0}

    def poll() -> None:
        while process.poll() is None:
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for line in status.splitlines():
                name, _, rest = line.partition(":")
                if name in most:
                    most[name] = max(most[name], int(rest.split()[0]) * 1024)
            time.sleep(POLL_S)

    poller = threading.Thread(target=poll)
    poller.start()
    output = process.communicate()[0]
    seconds = time.perf_counter() - started
    poller.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))[:200]} failed")
    return output, seconds, most["VmRSS"], most["RssAnon"]


def generate(dacapo: str, model: Path, n_prompt: int, n_tokens: int, n_loops: int) -> dict[str, Any]:
    """One prompt of `n_prompt` tokens and `n_tokens` decoded ones after it."""
    prompt = ",".join(str(100 + i * 7919 % VOCAB) for i in range(n_prompt))
    output, _, resident, anonymous = watched(
        dacapo, "generate", "--model", model, "--tokens", prompt, "--loops", n_loops,
        "--max-tokens", n_tokens + 1, "--temperature", 4, "--json")
    answer = json.loads(output)
    # The first token comes from the prompt.
    n_decoded = len(answer["tokens"]) - 1
    timings = answer["timings_ms"]
    return {"open": timings["queued"], "prefill": timings["prefill"], "n_decoded": n_decoded,
            "decode": timings["decode"] / max(n_decoded, 1), "resident": resident, "anonymous": anonymous}


def weight_bytes(model: Path) -> int:
    """Bytes that a decoded token reads of the weights: all but the table of embeddings."""
    config = json.loads((model / "config.json").read_text())
    stored = sum(path.stat().st_size for path in model.glob("*.safetensors"))
    is_rounded = "quantization_config" in config
    # Eight bits and a scale of 16 for each 128 of them, where it is rounded.
    per_row = config["hidden_size"] * (1 + 2 / 128 if is_rounded else 2)
    return stored - int(config["vocab_size"] * per_row)


def cache_bytes(config: dict[str, Any], length: int, n_loops: int) -> int:
    """What a token after `length` others reads of keys and values in half precision."""
    entry = 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"] * 2
    return (length + 1 + (n_loops - 1) * (min(length, config["plt_window_size"][0]) + 1)) * entry


def measure(dacapo: str, directory: Path, contexts: list[int], n_tokens: int) -> None:
    """Prints the table, a row as soon as it is known."""
    config = json.loads((directory / "config.json").read_text())
    rounded = directory.with_name(directory.name + "-int4")
    if not (rounded / "config.json").is_file():
        _, seconds, _, anonymous = watched(
            dacapo, "model", "quantize", directory, rounded, "--format", "int4", "--json")
        n_bytes = (rounded / "model.safetensors").stat().st_size
        print(f"rounding to 4 bits: {seconds:.0f} s, {n_bytes:,} bytes, {anonymous / 1e9:.2f} GB anonymous memory at most")
    print("| weights | loops | context | opened | prefill | decoded token | tokens/s | reads GB/s | resident | anonymous |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    runs = [(directory, "bf16", 16, loops) for loops in (1, 2)]
    runs += [(rounded, "int4", length, loops) for length in contexts for loops in (1, 2)]
    for model, name, length, n_loops in runs:
        seen = generate(dacapo, model, length, n_tokens, n_loops)
        read = weight_bytes(model) + cache_bytes(config, length, n_loops)
        print(f"| {name} | {n_loops} | {length:,} | {seen['open'] / 1e3:.2f} s | {seen['prefill'] / 1e3:.1f} s "
              f"| {seen['decode']:.0f} ms | {1e3 / seen['decode']:.2f} | {read / seen['decode'] / 1e6:.1f} "
              f"| {seen['resident'] / 1e9:.2f} GB | {seen['anonymous'] / 1e9:.2f} GB |", flush=True)
