"""Checks of the reference on itself, R=3 and W=5: `python -m unittest discover tests/parity`.

They hold it to the properties that the model must have, to the separately written cached.py, and to a plain decoder.
"""

import dataclasses
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

import cached
import check_cli
import checkpoint
import fixture_file
import make_fixtures
import mistakes
import plt_config
import reference
import tensor_file

N_LAYERS = 2
WINDOW = 5
FIELDS = checkpoint.make_fields(plt_num_loops=3, plt_window_size=[WINDOW, 0], num_hidden_layers=N_LAYERS)
CONFIG = plt_config.parse(FIELDS)
WEIGHTS = checkpoint.random_weights(CONFIG, seed=7)
TOKENS = checkpoint.random_tokens(CONFIG, 40, seed=8)
RESULT = reference.forward(CONFIG, WEIGHTS, TOKENS)


def two_loops(config: plt_config.Config) -> plt_config.Config:
    return dataclasses.replace(config, n_loops=2)


def run_chunks(config: plt_config.Config, lengths: list[int]) -> np.ndarray:
    sequence, logits, start = cached.Sequence(config, WEIGHTS), [], 0
    for length in lengths:
        logits.append(cached.prefill(sequence, TOKENS[start : start + length]))
        start += length
    return np.concatenate(logits)


class ParityCase(unittest.TestCase):
    def assert_close(self, got: np.ndarray, expected: np.ndarray, tolerance: float = 1e-11) -> None:
        self.assertEqual(got.shape, expected.shape)
        self.assertLess(np.abs(got - expected).max(), tolerance)

    def assert_far(self, got: np.ndarray, expected: np.ndarray, threshold: float = 1e-3) -> None:
        self.assertGreater(mistakes.row_errors(got, expected).max(), threshold)


class Equivalences(ParityCase):
    def test_one_shot_prefill(self) -> None:
        self.assert_close(run_chunks(CONFIG, [40]), RESULT.logits)

    def test_chunked_prefill(self) -> None:
        self.assert_close(run_chunks(CONFIG, [7, 1, 13, 4, 15]), RESULT.logits)

    def test_fused_decode(self) -> None:
        sequence = cached.Sequence(CONFIG, WEIGHTS)
        logits = np.array([cached.decode(sequence, token) for token in TOKENS])
        self.assert_close(logits, RESULT.logits)
        self.assert_close(sequence.carried, np.array([states[-1] for states in RESULT.h[:-1]]))

    def test_fused_decode_after_chunks(self) -> None:
        sequence = cached.Sequence(CONFIG, WEIGHTS)
        cached.prefill(sequence, TOKENS[:9])
        cached.prefill(sequence, TOKENS[9:20])
        logits = np.array([cached.decode(sequence, token) for token in TOKENS[20:]])
        self.assert_close(logits, RESULT.logits[20:])

    def test_float32_is_near_enough_for_the_cli_check(self) -> None:
        narrow = {name: weight.astype(np.float32) for name, weight in WEIGHTS.items()}
        rounded = {name: weight.astype(np.float64) for name, weight in narrow.items()}
        got = cached.prefill(cached.Sequence(CONFIG, narrow), TOKENS)
        self.assertEqual(got.dtype, np.float32)
        expected = reference.forward(CONFIG, rounded, TOKENS).logits
        is_right, text = check_cli.compare(got.astype(np.float64), expected, check_cli.TOLERANCES["f32"] / 4)
        self.assertTrue(is_right, text)

    def test_one_loop_is_a_plain_llama(self) -> None:
        config = dataclasses.replace(CONFIG, n_loops=1)
        self.assert_close(reference.forward(config, WEIGHTS, TOKENS).logits, plain_llama(config, WEIGHTS, TOKENS))

    def test_tail_only_loops(self) -> None:
        for config in (two_loops(CONFIG), CONFIG):
            expected = reference.forward(config, WEIGHTS, TOKENS).logits[-1:]
            lengths = cached.tail_lengths(config)
            lengths[0] = len(TOKENS)
            sequence = cached.Sequence(config, WEIGHTS)
            self.assert_close(cached.prefill(sequence, TOKENS, lengths)[-1:], expected)
            for loop in range(1, config.n_loops):
                short = [length - (r == loop) for r, length in enumerate(lengths)]
                sequence = cached.Sequence(config, WEIGHTS)
                self.assert_far(cached.prefill(sequence, TOKENS, short)[-1:], expected, 1e-9)

    def test_decode_goes_on_after_a_tail(self) -> None:
        lengths = cached.tail_lengths(CONFIG)
        lengths[0] = 35
        sequence = cached.Sequence(CONFIG, WEIGHTS)
        cached.prefill(sequence, TOKENS[:35], lengths)
        logits = np.array([cached.decode(sequence, token) for token in TOKENS[35:]])
        self.assert_close(logits, RESULT.logits[35:])

    def test_prefix_rebuild_length(self) -> None:
        for config in (two_loops(CONFIG), CONFIG):
            expected = reference.forward(config, WEIGHTS, TOKENS).logits[-1]
            n_rebuilt = cached.rebuild_length(config)
            self.assertEqual(n_rebuilt, (config.n_loops - 1) * (WINDOW * N_LAYERS + 1))
            self.assert_close(decode_after_rebuild(config, n_rebuilt), expected)
            self.assert_far(decode_after_rebuild(config, n_rebuilt - 1)[None], expected[None], 1e-9)


class Structure(ParityCase):
    def test_input_of_the_first_token(self) -> None:
        embedding = WEIGHTS["model.embed_tokens.weight"][TOKENS[0]]
        got = reference.loop_input(CONFIG, 1, 0, embedding, RESULT.h[0])
        self.assert_close(got, CONFIG.emb_scale * embedding, 1e-300)
        self.assert_close(reference.loop_input(CONFIG, 0, 0, embedding, None), embedding, 1e-300)

    def test_reach_of_the_local_branch(self) -> None:
        random = np.random.RandomState(9)
        _, frozen = reference.run_loop(CONFIG, WEIGHTS, 0, random.standard_normal((30, CONFIG.hidden_size)), None)
        inputs = random.standard_normal((30, CONFIG.hidden_size))
        for n_layers in (1, 2):
            config = dataclasses.replace(CONFIG, n_layers=n_layers)
            right, _ = reference.run_loop(config, WEIGHTS, 1, inputs, frozen)
            for distance, is_seen in ((WINDOW * n_layers, True), (WINDOW * n_layers + 1, False)):
                changed = inputs.copy()
                changed[29 - distance] += random.standard_normal(CONFIG.hidden_size)
                got, _ = reference.run_loop(config, WEIGHTS, 1, changed, frozen)
                self.assertEqual(bool((got[29] != right[29]).any()), is_seen, (n_layers, distance))

    def test_later_loops_leave_the_global_cache_alone(self) -> None:
        sequence = cached.Sequence(CONFIG, WEIGHTS)
        cached.prefill(sequence, TOKENS)
        alone = cached.Sequence(dataclasses.replace(CONFIG, n_loops=1), WEIGHTS)
        cached.prefill(alone, TOKENS)
        for got, expected in zip(sequence.global_keys, alone.global_keys, strict=True):
            self.assertEqual(got.tobytes(), expected.tobytes())

    def test_open_gate_is_pure_global(self) -> None:
        weights = dict(WEIGHTS)
        for layer in range(N_LAYERS):
            name = f"model.layers.{layer}.self_attn.plt_gate."
            weights[name + "weight"] = np.zeros_like(weights[name + "weight"])
            weights[name + "bias"] = np.full_like(weights[name + "bias"], np.inf)
        expected = reference.forward(CONFIG, weights, TOKENS).logits
        blind = dataclasses.replace(CONFIG, window=0)
        self.assert_close(reference.forward(blind, weights, TOKENS).logits, expected)

    def test_zeroed_state_at_a_chunk_border_differs(self) -> None:
        sequence = cached.Sequence(CONFIG, WEIGHTS)
        cached.prefill(sequence, TOKENS[:20])
        sequence.carried[:] = 0
        self.assert_far(cached.prefill(sequence, TOKENS[20:]), RESULT.logits[20:])

    def test_causal(self) -> None:
        changed = TOKENS[:25] + [(TOKENS[25] + 1) % CONFIG.vocab_size] + TOKENS[26:]
        got = reference.forward(CONFIG, WEIGHTS, changed).logits
        self.assertTrue((got[:25] == RESULT.logits[:25]).all())
        self.assert_far(got[25:], RESULT.logits[25:])


class Sensitivity(ParityCase):
    def test_every_mistake_shows(self) -> None:
        for name in mistakes.NAMES:
            with self.subTest(name):
                self.assert_far(mistakes.logits_with(name, CONFIG, WEIGHTS, TOKENS), RESULT.logits, 1e-2)

    def test_gates_are_spread(self) -> None:
        seen = [
            reference.gates(CONFIG, WEIGHTS, f"model.layers.{layer}.", state)
            for layer in range(N_LAYERS)
            for state in RESULT.h[0]
        ]
        low, high = np.quantile(seen, [0.1, 0.9])
        self.assertLess(low, 0.3)
        self.assertGreater(high, 0.7)
        self.assertGreater(np.quantile(seen, 0.01), 0.01)
        self.assertLess(np.quantile(seen, 0.99), 0.99)


class Files(ParityCase):
    def test_rounding(self) -> None:
        # 1 + 2^-8 and 1 + 3 * 2^-8 lie halfway between two bf16 values; the even one wins.
        halfway = np.array([1 + 2**-8, 1 + 3 * 2**-8, -3.0, 0.0, 1e-30])
        got = tensor_file.decode(tensor_file.encode(halfway, "BF16"), "BF16")
        self.assertEqual(got[:4].tolist(), [1.0, 1 + 2**-6, -3.0, 0.0])
        self.assertLess(abs(got[4] / 1e-30 - 1), 2**-8)
        self.assertEqual(tensor_file.decode(tensor_file.encode(halfway, "F16"), "F16")[0], 1 + 2**-8)

    def test_shards_hold_the_same_weights(self) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            one, three = Path(scratch) / "one", Path(scratch) / "three"
            checkpoint.write(one, FIELDS, 3, "BF16")
            checkpoint.write(three, FIELDS, 3, "BF16", n_shards=3)
            weights = checkpoint.read(one)[1]
            for name, weight in checkpoint.read(three)[1].items():
                self.assertTrue((weight == weights[name]).all(), name)
            index = json.loads((three / "model.safetensors.index.json").read_text())
            self.assertEqual(set(index["weight_map"]), set(weights))
            for name, file_name in index["weight_map"].items():
                self.assertIn(name, tensor_file.read(three / file_name))

    def test_config_fallbacks(self) -> None:
        names = ["num_key_value_heads", "head_dim", "tie_word_embeddings", "plt_num_loops", "plt_window_size"]
        names += ["plt_normalize_per_loop", "plt_emb_scale", "plt_hidden_scale", "plt_gate_use_hidden_states"]
        config = plt_config.parse(checkpoint.make_fields(**dict.fromkeys(names, ...)))
        self.assertEqual((config.n_kv_heads, config.head_dim, config.tied), (4, 8, False))
        self.assertEqual((config.n_loops, config.window, config.normalize_per_loop), (1, 64, False))
        self.assertEqual((config.emb_scale, config.hidden_scale), (1.0, 1.0))
        with self.assertRaises(ValueError):
            plt_config.parse(checkpoint.make_fields(plt_gate_use_hidden_states=...))

    def test_fixtures_are_current(self) -> None:
        names = {case.name for case in make_fixtures.CASES}
        self.assertEqual({path.name for path in make_fixtures.FIXTURES.iterdir()}, names)
        for case in make_fixtures.CASES:
            with self.subTest(case.name):
                config, weights = checkpoint.read(make_fixtures.FIXTURES / case.name)
                tokens, positions, logits, h = fixture_file.read(make_fixtures.FIXTURES / case.name)
                result = reference.forward(config, weights, tokens)
                self.assert_close(result.logits[positions], logits)
                self.assert_close(np.array([states[-1] for states in result.h]), h)
                self.assert_close(cached.prefill(cached.Sequence(config, weights), tokens)[positions], logits)


def decode_after_rebuild(config: plt_config.Config, n_rebuilt: int) -> np.ndarray:
    """Logits of the last token after all rings and states of the prefix were lost and its last tokens ran again."""
    n_prefix = len(TOKENS) - 1
    sequence = cached.Sequence(config, WEIGHTS)
    cached.prefill(sequence, TOKENS[:n_prefix])
    sequence.truncate(n_prefix - n_rebuilt)
    cached.prefill(sequence, TOKENS[n_prefix - n_rebuilt : n_prefix])
    return cached.decode(sequence, TOKENS[-1])


def plain_llama(config: plt_config.Config, weights: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """A textbook decoder over whole matrices, which knows nothing of loops."""

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + config.eps) * weights[name + ".weight"]

    def heads(x: np.ndarray, name: str, n_heads: int) -> np.ndarray:
        split = (x @ weights[name + ".weight"].T).reshape(len(tokens), n_heads, config.head_dim).swapaxes(0, 1)
        return np.repeat(split, config.n_heads // n_heads, axis=0)

    frequencies = config.rope_theta ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    angles = np.tile(np.outer(np.arange(len(tokens)), frequencies), 2)

    def rope(x: np.ndarray) -> np.ndarray:
        first, second = np.split(x, 2, axis=-1)
        return x * np.cos(angles) + np.concatenate([-second, first], axis=-1) * np.sin(angles)

    x = weights["model.embed_tokens.weight"][tokens]
    for layer in range(config.n_layers):
        name = f"model.layers.{layer}."
        y = norm(x, name + "input_layernorm")
        q = rope(heads(y, name + "self_attn.q_proj", config.n_heads))
        k = rope(heads(y, name + "self_attn.k_proj", config.n_kv_heads))
        v = heads(y, name + "self_attn.v_proj", config.n_kv_heads)
        scores = q @ k.swapaxes(1, 2) / np.sqrt(config.head_dim)
        scores = np.exp(np.where(np.tri(len(tokens), dtype=bool), scores, -np.inf))
        attended = (scores / scores.sum(-1, keepdims=True)) @ v
        x = x + attended.swapaxes(0, 1).reshape(len(tokens), -1) @ weights[name + "self_attn.o_proj.weight"].T
        z = norm(x, name + "post_attention_layernorm")
        gate, up = z @ weights[name + "mlp.gate_proj.weight"].T, z @ weights[name + "mlp.up_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * up) @ weights[name + "mlp.down_proj.weight"].T
    return norm(x, "model.norm") @ weights["model.embed_tokens.weight" if config.tied else "lm_head.weight"].T


if __name__ == "__main__":
    unittest.main()
