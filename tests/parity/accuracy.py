"""How far the logits of a built `dacapo` and of llama.cpp are from exact ones, where their greedy texts part.

    python accuracy.py --dacapo PATH --model FILE.gguf

Exact means the weights of the file as they are meant, and everything computed with them in double precision
(`dacapo model logits --dtype f64`), which `check_cli.py` compares with the reference. Both programs round activations to
eight bits in between. Errors are means over the vocabulary; keys and values are in single precision on both sides.
Fails where the two prefer different tokens and the exact gap between those is larger than llama.cpp's own largest error there.
"""

import argparse
from pathlib import Path

import numpy as np

from compare_llama import N_GREEDY, PROMPTS, Llama, dacapo, listed


def exact_and_ours(options, ids):
    """Logits after the last token: in double precision, read at once, and token by token."""
    ask = lambda *more: np.array(dacapo(options.dacapo, "model", "logits", options.model, "--tokens", listed(ids),
                                        *more, "--json")["logits"][-1])
    return ask("--dtype", "f64"), ask(), ask("--mode", "fused")


def theirs(llama, ids):
    """The same of llama.cpp, read at once and token by token."""
    llama.clear()
    at_once = llama.read(ids, only_last=True)[-1].astype(np.float64)
    llama.clear()
    for token in ids:
        singly = llama.read([token])[-1].astype(np.float64)
    return at_once, singly


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dacapo", required=True)
    parser.add_argument("--model", required=True, type=Path)
    options = parser.parse_args()
    llama = Llama(options.model, 512, exact_cache=True)
    errors, is_explained = [], True
    print("| prompt | texts part at | exact gap | dacapo at once | singly | llama.cpp at once | singly | largest of it |")
    print("|---|---|---|---|---|---|---|---|")
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt)
        ours = dacapo(options.dacapo, "generate", "--model", options.model, "--tokens", listed(ids),
                      "--max-tokens", N_GREEDY, "--temperature", 0, "--json")["tokens"]
        other, _ = llama.greedy(ids, len(ours))
        place = next((i for i in range(len(ours)) if ours[i] != other[i]), None)
        known = ids + ours[:place]
        exact, *ours_read = exact_and_ours(options, known)
        theirs_read = theirs(llama, known)
        apart = [np.abs(logits - exact) for logits in (*ours_read, *theirs_read)]
        errors.append([difference.mean() for difference in apart])
        largest = max(difference.max() for difference in apart[2:])
        gap = "" if place is None else abs(exact[ours[place]] - exact[other[place]])
        if place is not None:
            is_explained &= bool(gap < largest)
        figures = " | ".join(f"{error:.4f}" for error in errors[-1])
        print(f"| `{prompt.strip()[:28]!r}` | {'' if place is None else place} | "
              f"{'' if place is None else f'{gap:.4f}'} | {figures} | {largest:.3f} |", flush=True)
    print("| mean | | | " + " | ".join(f"{error:.4f}" for error in np.mean(errors, 0)) + " | |")
    raise SystemExit(not is_explained)


if __name__ == "__main__":
    main()
