"""Writes a GGUF file of random weights in the shape of Qwen2.5-Coder-0.5B, to measure speed on.

    python random_gguf.py --tokenizer FILE.gguf --type Q8_0 --out random.gguf

Needs numpy and the package gguf. The vocabulary is that of FILE.gguf, filled up with pieces that no text has.
"""

import argparse

import gguf
import numpy as np

HIDDEN, MLP, LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 896, 4864, 24, 14, 2, 64, 151936
# Bytes of 32 integers, and the largest of them.
TYPES = {"Q8_0": (32, 127), "Q4_0": (16, 8)}
UNUSED = 5


def add_tokenizer(writer, path):
    fields = gguf.GGUFReader(path).fields
    value = lambda name: fields[f"tokenizer.ggml.{name}"].contents()
    tokens = list(value("tokens"))
    types = list(value("token_type"))
    n_missing = VOCAB - len(tokens)
    writer.add_tokenizer_model(value("model"))
    writer.add_tokenizer_pre(value("pre"))
    writer.add_token_list(tokens + [f"<unused{i}>" for i in range(n_missing)])
    writer.add_token_types(types + [UNUSED] * n_missing)
    writer.add_token_merges(value("merges"))
    writer.add_eos_token_id(value("eos_token_id"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--type", required=True, choices=TYPES)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    writer = gguf.GGUFWriter(options.out, "llama")
    writer.add_name("random")
    writer.add_vocab_size(VOCAB)
    writer.add_context_length(8192)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    add_tokenizer(writer, options.tokenizer)
    random = np.random.default_rng(1)
    n_bytes, largest = TYPES[options.type]

    def matrix(name, n_outputs, n_inputs):
        n_blocks = n_outputs * n_inputs // 32
        scales = random.uniform(0.5, 1.5, n_blocks) * 1.7 / largest / np.sqrt(n_inputs)
        scales = scales.astype(np.float16).view(np.uint8).reshape(n_blocks, 2)
        integers = random.integers(0, 256, (n_blocks, n_bytes), dtype=np.uint8)
        blocks = np.concatenate([scales, integers], 1).reshape(n_outputs, -1)
        writer.add_tensor(name, blocks, raw_dtype=gguf.GGMLQuantizationType[options.type])

    def norm(name):
        writer.add_tensor(name, np.ones(HIDDEN, np.float32))

    matrix("token_embd.weight", VOCAB, HIDDEN)
    norm("output_norm.weight")
    for layer in range(LAYERS):
        norm(f"blk.{layer}.attn_norm.weight")
        norm(f"blk.{layer}.ffn_norm.weight")
        for name, n_outputs, n_inputs in [
            ("attn_q", HEADS * HEAD_DIM, HIDDEN),
            ("attn_k", KV_HEADS * HEAD_DIM, HIDDEN),
            ("attn_v", KV_HEADS * HEAD_DIM, HIDDEN),
            ("attn_output", HIDDEN, HEADS * HEAD_DIM),
            ("ffn_gate", MLP, HIDDEN),
            ("ffn_up", MLP, HIDDEN),
            ("ffn_down", HIDDEN, MLP),
        ]:
            matrix(f"blk.{layer}.{name}.weight", n_outputs, n_inputs)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
