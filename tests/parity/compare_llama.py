"""Compares a built `dacapo` with llama.cpp on one GGUF file: token ids, perplexity and greedy text.

    python compare_llama.py --dacapo PATH --model FILE.gguf --text FILE [--tokens 4096] [--rounding]

Needs numpy and xllamacpp, whose library holds llama.cpp with its C interface.
Both round activations to eight bits where the weights are quantised, in the same way. A sum in another order now and
then moves an activation over the edge between two integers, which moves others in the layers that follow, so logits are
some tenths apart all the same: llama.cpp's own are, between a prompt that it reads at once and token by token, and so
its own texts part. Where they do is shown beside where the two programs do, with --rounding.
What must agree is what is free of that rounding: the text of this file in double precision, and of a copy with the same
weights in F32, each with llama.cpp's on the copy.
"""

import argparse
import ctypes
import json
import math
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import xllamacpp

from gguf_file import write_in_f32

PROMPTS = [
    "def fibonacci(n):\n",
    "fn main() {\n    let args: Vec<String> = ",
    "# Sorts a list of numbers\ndef bubble_sort(values):\n",
    "SELECT name, count(*) FROM users",
    "The capital of France is",
    "Once upon a time there was a",
    "import numpy as np\n\ndef softmax(x):\n",
    "package main\n\nimport \"fmt\"\n\nfunc main() {\n",
    "Water boils at a temperature of",
    "class Stack:\n    def __init__(self):\n",
]
N_GREEDY = 64
BATCH = 512


class Parameters(ctypes.Structure):
    """Stands for either structure of parameters; larger than both, and only the beginning of one is touched."""

    _fields_ = [("words", ctypes.c_uint32 * 256)]


class Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", ctypes.c_int32),
        ("token", ctypes.POINTER(ctypes.c_int32)),
        ("embd", ctypes.c_void_p),
        ("pos", ctypes.POINTER(ctypes.c_int32)),
        ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


class Llama:
    """A model in llama.cpp, one sequence at a time."""

    def __init__(self, path, n_context, exact_cache, n_threads=None):
        library = next(Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))
        self.c = ctypes.CDLL(str(library))
        signatures = {
            "llama_model_default_params": (Parameters, []),
            "llama_context_default_params": (Parameters, []),
            "llama_model_load_from_file": (ctypes.c_void_p, [ctypes.c_char_p, Parameters]),
            "llama_init_from_model": (ctypes.c_void_p, [ctypes.c_void_p, Parameters]),
            "llama_model_get_vocab": (ctypes.c_void_p, [ctypes.c_void_p]),
            "llama_vocab_n_tokens": (ctypes.c_int32, [ctypes.c_void_p]),
            "llama_batch_init": (Batch, [ctypes.c_int32] * 3),
            "llama_decode": (ctypes.c_int32, [ctypes.c_void_p, Batch]),
            "llama_get_logits_ith": (
                ctypes.POINTER(ctypes.c_float), [ctypes.c_void_p, ctypes.c_int32]),
            "llama_get_memory": (ctypes.c_void_p, [ctypes.c_void_p]),
            "llama_memory_clear": (None, [ctypes.c_void_p, ctypes.c_bool]),
            "llama_set_n_threads": (None, [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32]),
            "llama_log_set": (None, [ctypes.c_void_p, ctypes.c_void_p]),
            "llama_tokenize": (ctypes.c_int32, [
                ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32,
                ctypes.POINTER(ctypes.c_int32), ctypes.c_int32, ctypes.c_bool, ctypes.c_bool]),
        }
        for name, (result, arguments) in signatures.items():
            getattr(self.c, name).restype = result
            getattr(self.c, name).argtypes = arguments
        self.silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(
            lambda *_: None)
        self.c.llama_log_set(ctypes.cast(self.silent, ctypes.c_void_p), None)
        model = self.c.llama_model_load_from_file(
            str(path).encode(), self.c.llama_model_default_params())
        assert model, f"llama.cpp cannot load {path}"
        self.vocab = self.c.llama_model_get_vocab(model)
        self.n_vocab = self.c.llama_vocab_n_tokens(self.vocab)
        parameters = self.c.llama_context_default_params()
        assert parameters.words[0] == 512, "the structure does not begin with the context's length"
        parameters.words[0] = n_context
        # `exact_cache` is None where llama.cpp chooses, else attention is in single precision as here: the last of the
        # enumerations that are left to llama.cpp (-1) switches flash attention; the types of keys and values are the
        # first neighbours that both name half precision (1).
        words = list(parameters.words[:64])
        flash = max(i for i, word in enumerate(words) if word == 0xFFFFFFFF)
        types = next(i for i in range(flash, 63) if words[i] == words[i + 1] == 1)
        if exact_cache is not None:
            parameters.words[flash] = 0
        if exact_cache:
            parameters.words[types] = parameters.words[types + 1] = 0
        self.context = self.c.llama_init_from_model(model, parameters)
        assert self.context, "llama.cpp cannot make a context"
        if n_threads is not None:
            self.c.llama_set_n_threads(self.context, n_threads, n_threads)
        self.batch = self.c.llama_batch_init(max(BATCH, n_context), 0, 1)
        self.n_past = 0

    def tokenize(self, text):
        data = text.encode()
        ids = (ctypes.c_int32 * (len(data) + 8))()
        n = self.c.llama_tokenize(self.vocab, data, len(data), ids, len(ids), False, False)
        assert n >= 0
        return list(ids[:n])

    def clear(self):
        self.c.llama_memory_clear(self.c.llama_get_memory(self.context), True)
        self.n_past = 0

    def read(self, tokens, only_last=False):
        """Logits after each of some tokens, or after the last."""
        self.batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            self.batch.token[i] = token
            self.batch.pos[i] = self.n_past + i
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = 0
            self.batch.logits[i] = not only_last or i == len(tokens) - 1
        assert self.c.llama_decode(self.context, self.batch) == 0
        self.n_past += len(tokens)
        read = range(len(tokens) - 1 if only_last else 0, len(tokens))
        rows = [self.c.llama_get_logits_ith(self.context, i) for i in read]
        return np.stack([np.ctypeslib.as_array(row, (self.n_vocab,)) for row in rows]).copy()

    def losses(self, tokens):
        """Negative log-likelihood of every token but the first."""
        self.clear()
        losses = []
        for start in range(0, len(tokens), BATCH):
            logits = self.read(tokens[start:start + BATCH]).astype(np.float64)
            following = tokens[start + 1:start + BATCH + 1]
            largest = logits.max(1)
            totals = np.log(np.exp(logits - largest[:, None]).sum(1)) + largest
            losses += [totals[i] - logits[i, token] for i, token in enumerate(following)]
        return np.array(losses)

    def greedy(self, prompt, n_tokens, singly=False):
        """Ids after the prompt, read at once or token by token, and the logits that each was taken from."""
        self.clear()
        parts = [[token] for token in prompt] if singly else [prompt]
        logits = [self.read(part)[-1] for part in parts][-1]
        ids, rows = [], []
        for _ in range(n_tokens):
            ids.append(int(logits.argmax()))
            rows.append(logits)
            logits = self.read(ids[-1:])[-1]
        return ids, rows


def dacapo(binary, *arguments):
    output = subprocess.run([binary, *map(str, arguments)], check=True, capture_output=True)
    return json.loads(output.stdout)


def listed(tokens):
    return ",".join(map(str, tokens))


def compare_tokens(options, llama, text):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        ours = dacapo(options.dacapo, "model", "tokens", options.model, file.name, "--json")["tokens"]
    theirs = llama.tokenize(text)
    same = ours == theirs
    print(f"token ids      {len(text.encode())} bytes, {len(ours)} tokens, "
          f"{'identical' if same else 'DIFFERENT'}")
    if not same:
        first = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), -1)
        print(f"  llama.cpp has {len(theirs)}; first difference at {first}: "
              f"{ours[first - 3:first + 6]} and {theirs[first - 3:first + 6]}")
    return same


def compare_perplexity(options, llama):
    ours = dacapo(options.dacapo, "model", "tokens", options.model, options.text,
                  "--losses", "--limit", options.tokens, "--json")
    theirs = llama.losses(ours["tokens"])
    difference = np.abs(np.array(ours["losses"]) - theirs)
    ratio = ours["perplexity"] / math.exp(theirs.mean()) - 1
    print(f"perplexity     {len(ours['tokens'])} tokens: {ours['perplexity']:.4f}, "
          f"llama.cpp {math.exp(theirs.mean()):.4f}, {ratio:+.3%}; "
          f"per token {difference.mean():.4f} nats apart, at most {difference.max():.3f}")
    return abs(ratio) < 0.01


def compare_noise(options, llama):
    """How far logits after each prompt are apart, and how far those of llama.cpp itself, read in two ways."""
    ours, own = [], []
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt) * 4
        logits = dacapo(options.dacapo, "model", "logits", options.model, "--tokens", listed(ids),
                        "--json")["logits"][-1]
        llama.clear()
        at_once = llama.read(ids)[-1]
        llama.clear()
        singly = [llama.read([token])[-1] for token in ids][-1]
        ours.append(np.abs(np.array(logits) - at_once).mean())
        own.append(np.abs(singly - at_once).mean())
    print(f"logits         {np.mean(ours):.4f} apart in the mean, at most {np.max(ours):.4f}; "
          f"llama.cpp's own, at once and singly, {np.mean(own):.4f} and {np.max(own):.4f}")


def compare_own_texts(llama):
    """Where llama.cpp's text after a prompt read at once parts from its text after the same prompt, read token by token."""
    places = []
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt)
        at_once, singly = (llama.greedy(ids, N_GREEDY, way)[0] for way in (False, True))
        places.append(next((i for i in range(N_GREEDY) if at_once[i] != singly[i]), None))
    print(f"greedy         llama.cpp has the same text twice after {places.count(None)} of {len(PROMPTS)} prompts, "
          f"read at once and singly; else they part at token {[place for place in places if place is not None]}")


def compare_exact(options, original, llama):
    """Greedy text of the original in double precision, and llama.cpp's on the copy without rounding."""
    n_same, n_explained = 0, 0
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt)
        theirs, _ = llama.greedy(ids, N_GREEDY)
        rows = dacapo(options.dacapo, "model", "logits", original, "--tokens", listed(ids + theirs[:-1]),
                      "--all", "--dtype", "f64", "--json")["logits"][len(ids) - 1:]
        place = next((i for i, row in enumerate(rows) if int(np.argmax(row)) != theirs[i]), None)
        if place is None:
            n_same += 1
            continue
        gap = max(rows[place]) - rows[place][theirs[place]]
        n_explained += gap < 1e-2
        print(f"greedy         after {prompt!r} they part at token {place}, with a gap of {gap:.4f}")
    print(f"greedy         {n_same} of {len(PROMPTS)} texts of {N_GREEDY} tokens identical, "
          f"{n_explained} more part within a gap of 0.01")
    return n_same + n_explained == len(PROMPTS)


def compare_greedy(options, llama):
    n_same, n_explained = 0, 0
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt)
        ours = dacapo(options.dacapo, "generate", "--model", options.model, "--tokens", listed(ids),
                      "--max-tokens", N_GREEDY, "--temperature", 0, "--json")["tokens"]
        theirs, rows = llama.greedy(ids, len(ours))
        place = next((i for i in range(len(ours)) if ours[i] != theirs[i]), None)
        if place is None:
            n_same += 1
            print(f"greedy         {len(ours)} tokens identical after {prompt!r}")
            continue
        known = ids + ours[:place]
        logits = dacapo(options.dacapo, "model", "logits", options.model, "--tokens", listed(known),
                        "--json")["logits"][-1]
        own_gap = logits[ours[place]] - logits[theirs[place]]
        their_gap = float(rows[place][theirs[place]] - rows[place][ours[place]])
        apart = np.abs(np.array(logits) - rows[place]).max()
        n_explained += min(own_gap, their_gap) < 1e-2
        print(f"greedy         after {prompt!r} token {place}: {ours[place]} leads by {own_gap:.4f}, "
              f"in llama.cpp {theirs[place]} by {their_gap:.4f}; logits at most {apart:.3f} apart")
    print(f"greedy         {n_same} of {len(PROMPTS)} identical, {n_explained} more within a gap of 0.01")
    return n_same + n_explained == len(PROMPTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dacapo", required=True)
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--tokens", type=int, default=4096, help="how many count for the perplexity")
    parser.add_argument("--rounding", action="store_true", help="show what rounded activations do to texts")
    options = parser.parse_args()
    llama = Llama(options.model, options.tokens, exact_cache=False)
    results = [
        compare_tokens(options, llama, options.text.read_bytes().decode()),
        compare_perplexity(options, llama),
    ]
    if options.rounding:
        compare_noise(options, llama)
        compare_own_texts(llama)
        compare_greedy(options, llama)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "f32.gguf"
        write_in_f32(options.model, copy)
        original, options.model = options.model, copy
        llama = Llama(copy, options.tokens, exact_cache=True)
        print("in double precision, and llama.cpp with the same weights in F32")
        results.append(compare_exact(options, original, llama))
        print("the same weights in F32 in both")
        results += [compare_perplexity(options, llama), compare_greedy(options, llama)]
    raise SystemExit(not all(results))


if __name__ == "__main__":
    main()
