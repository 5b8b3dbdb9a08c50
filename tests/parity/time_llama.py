"""Times a built `dacapo` and llama.cpp on one GGUF file, one after the other and again, with the same number of threads.

    python time_llama.py --dacapo PATH --model FILE.gguf [--prompt 512] [--tokens 64] [--rounds 5] [--threads 2]

Needs numpy and xllamacpp. Use a release build on a machine that does nothing else; medians are of all rounds.
Both read the prompt at once and then take the likeliest token each time.
"""

import argparse
import statistics
import time
from pathlib import Path

from compare_llama import Llama, dacapo, listed


def of_dacapo(options, ids):
    answer = dacapo(options.dacapo, "generate", "--model", options.model, "--tokens", listed(ids),
                    "--max-tokens", options.tokens, "--temperature", 0, "--json")
    timings = answer["timings_ms"]
    # The first token comes from the prompt.
    return len(ids) / timings["prefill"] * 1e3, timings["decode"] / (len(answer["tokens"]) - 1)


def of_llama(options, llama, ids):
    llama.clear()
    started = time.perf_counter()
    token = int(llama.read(ids, only_last=True)[-1].argmax())
    read = time.perf_counter()
    for _ in range(options.tokens - 1):
        token = int(llama.read([token])[-1].argmax())
    done = time.perf_counter()
    return len(ids) / (read - started), (done - read) / (options.tokens - 1) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dacapo", required=True)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    # Everything that llama.cpp chooses by itself is left to it.
    llama = Llama(options.model, options.prompt + options.tokens, None, options.threads)
    ids = [100 + i * 7919 % 20000 for i in range(options.prompt)]
    rounds = {"dacapo": [], "llama.cpp": []}
    for _ in range(options.rounds):
        rounds["dacapo"].append(of_dacapo(options, ids))
        rounds["llama.cpp"].append(of_llama(options, llama, ids))
    for name, figures in rounds.items():
        prefill, decode = (statistics.median(column) for column in zip(*figures))
        print(f"{name:10} prefill of {options.prompt}: {prefill:7.1f} tokens/s    "
              f"decode: {decode:7.2f} ms a token, {1e3 / decode:5.1f} tokens/s")
    ours, theirs = (
        [statistics.median(column) for column in zip(*figures)] for figures in rounds.values())
    print(f"ratio      prefill {ours[0] / theirs[0]:.2f}, decode {theirs[1] / ours[1]:.2f} times as fast")


if __name__ == "__main__":
    main()
